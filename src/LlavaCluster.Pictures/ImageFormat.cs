namespace LlavaCluster.Pictures;

/// <summary>The picture files that are accepted.</summary>
public enum ImageFormat
{
    Png,
    Jpeg,
    WebP,
    Gif,
    Bmp,
}
