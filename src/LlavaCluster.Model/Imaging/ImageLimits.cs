namespace LlavaCluster.Model.Imaging;

/// <summary>What a picture may be before its pixels are decoded.</summary>
public sealed record ImageLimits
{
    /// <summary>Most bytes of the file. Default: 20 MiB.</summary>
    public long MaxBytes { get; init; } = 20 << 20;

    /// <summary>Most pixels. Default: 25 million.</summary>
    public long MaxPixels { get; init; } = 25_000_000;

    /// <summary>Longest side in pixels, which also bounds the square a picture is padded to. Default: 8,192.</summary>
    public int MaxSide { get; init; } = 8_192;

    /// <summary>Longest side in shortest sides: a thin picture grows when its shortest side is resized to the tower's. Default: 100.</summary>
    public int MaxAspect { get; init; } = 100;
}
