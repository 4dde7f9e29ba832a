namespace LlavaCluster.Pictures;

/// <summary>What a picture file may be and may say of itself before any of its pixels is decoded.</summary>
public sealed record HeaderLimits
{
    private readonly long _maxPixels = 25_000_000;

    /// <summary>Bytes of the file. Default: 20 MiB.</summary>
    public int MaxBytes { get; init; } = 20 << 20;

    /// <summary>Width times height; at most what one array holds of RGB. Default: 25 million.</summary>
    public long MaxPixels
    {
        get => _maxPixels;
        init
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, Array.MaxLength / 4);
            _maxPixels = value;
        }
    }

    /// <summary>The longer side, which bounds the rows kept while a picture is resized. Default: 8,192.</summary>
    public int MaxSide { get; init; } = 8_192;

    /// <summary>Scans of a JPEG: each may be a few bytes and still be work on every pixel. Default: 99, the most that Skia decodes.</summary>
    public int MaxScans { get; init; } = 99;
}
