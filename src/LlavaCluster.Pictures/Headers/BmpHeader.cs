namespace LlavaCluster.Pictures.Headers;

/// <summary>BMP: its header says where rows begin and how long they are, so whether they are all there.</summary>
internal static class BmpHeader
{
    public static bool Matches(ReadOnlySpan<byte> file) => file.StartsWith("BM"u8);

    public static HeaderResult Read(ReadOnlySpan<byte> file) =>
        BmpLayout.Parse(file, out var problem) is { } layout
            ? new HeaderResult(ImageFormat.Bmp, new ImageHeader(ImageFormat.Bmp, layout.Width, layout.Height), null)
            : new HeaderResult(ImageFormat.Bmp, null, problem);
}
