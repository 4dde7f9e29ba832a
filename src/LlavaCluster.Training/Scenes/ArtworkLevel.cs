namespace LlavaCluster.Training.Scenes;

/// <summary>A picture at one size: premultiplied RGBA, 8 bits each, rows packed.</summary>
internal sealed record ArtworkLevel(int Width, int Height, byte[] Pixels)
{
    public int LongestSide => Math.Max(Width, Height);
}
