namespace LlavaCluster.Model.Config;

/// <summary>A CLIP vision tower. The defaults are those of Hugging Face's CLIPVisionConfig.</summary>
public sealed record VisionConfig
{
    public int Hidden { get; init; } = 768;

    public int Intermediate { get; init; } = 3072;

    public int Layers { get; init; } = 12;

    public int Heads { get; init; } = 12;

    /// <summary>Side of the square input, in pixels.</summary>
    public int ImageSize { get; init; } = 224;

    /// <summary>Side of a patch, in pixels.</summary>
    public int PatchSize { get; init; } = 32;

    public Activation Activation { get; init; } = Activation.QuickGelu;

    public double LayerNormEpsilon { get; init; } = 1e-5;

    /// <summary>Patches along one side.</summary>
    public int Grid => ImageSize / PatchSize;
}

public enum Activation
{
    /// <summary>x * sigmoid(1.702 x), as OpenAI's CLIP.</summary>
    QuickGelu,

    /// <summary>Exact (erf) GELU.</summary>
    Gelu,

    /// <summary>x * sigmoid(x).</summary>
    Silu,
}
