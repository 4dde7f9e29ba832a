namespace LlavaCluster.Pictures.Headers;

/// <summary>GIF: the first frame must be whole; later ones are never shown.</summary>
internal static class GifHeader
{
    public static bool Matches(ReadOnlySpan<byte> file) => file.StartsWith("GIF87a"u8) || file.StartsWith("GIF89a"u8);

    public static HeaderResult Read(ReadOnlySpan<byte> file) =>
        GifFrame.Find(file, out var problem) is { } frame
            ? new HeaderResult(ImageFormat.Gif, new ImageHeader(ImageFormat.Gif, frame.ScreenWidth, frame.ScreenHeight), null)
            : new HeaderResult(ImageFormat.Gif, null, problem);
}
