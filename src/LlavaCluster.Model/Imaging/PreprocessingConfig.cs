namespace LlavaCluster.Model.Imaging;

/// <summary>How a picture becomes pixel values: what <c>preprocessor_config.json</c> says. Resizing is always Pillow's bicubic on 8-bit values.</summary>
public sealed record PreprocessingConfig
{
    /// <summary>What CLIP was trained with (openai/CLIP: clip/clip.py, _transform).</summary>
    public static IReadOnlyList<double> ClipMean { get; } = [0.48145466, 0.4578275, 0.40821073];

    public static IReadOnlyList<double> ClipDeviation { get; } = [0.26862954, 0.26130258, 0.27577711];

    /// <summary>Side of a tile, in pixels.</summary>
    public required int TileSize { get; init; }

    /// <summary>What the shorter edge is resized to before the centre is cut out; only for <see cref="ImageFit.Crop"/>.</summary>
    public required int ShortestEdge { get; init; }

    public ImageFit Fit { get; init; } = ImageFit.Crop;

    /// <summary>Subtracted from each channel after scaling to 0..1. The default is CLIP's.</summary>
    public IReadOnlyList<double> Mean { get; init; } = ClipMean;

    /// <summary>Each channel is divided by this last. The default is CLIP's.</summary>
    public IReadOnlyList<double> Deviation { get; init; } = ClipDeviation;

    /// <summary>What an 8-bit value is multiplied with.</summary>
    public double RescaleFactor { get; init; } = 1 / 255.0;

    /// <summary>Turns the picture as its EXIF orientation asks. Default false: the reference does not.</summary>
    public bool ApplyOrientation { get; init; }
}

/// <summary>How a picture of any shape meets a square tile.</summary>
public enum ImageFit
{
    /// <summary>Shortest edge to size, then the centre; the sides are lost. Hugging Face's default for LLaVA-1.5.</summary>
    Crop,

    /// <summary>On a square of the mean colour first, so that nothing is lost. What LLaVA-1.5 was trained with.</summary>
    Pad,

    /// <summary>The whole picture squashed, then tiles of it (LLaVA-NeXT).</summary>
    Anyres,
}
