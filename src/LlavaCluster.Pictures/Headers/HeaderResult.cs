namespace LlavaCluster.Pictures.Headers;

/// <summary>A format reader's answer: a header, or what is wrong, to follow "its".</summary>
internal readonly record struct HeaderResult(ImageFormat Format, ImageHeader? Header, string? Problem)
{
    public const string Truncated = "data ends too early";
    public const string Malformed = "header is malformed";
    public const string Unsupported = "kind of compression is not supported";
}
