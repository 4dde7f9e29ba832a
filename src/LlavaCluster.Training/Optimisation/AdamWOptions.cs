namespace LlavaCluster.Training.Optimisation;

/// <summary>AdamW's constants (Loshchilov and Hutter 2019); the defaults are those of the Hugging Face trainer, as LLaVA used them.</summary>
public sealed record AdamWOptions
{
    public double Beta1 { get; init; } = 0.9;

    public double Beta2 { get; init; } = 0.999;

    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Gradients are scaled down to this L2 norm over all parameters; null leaves them.</summary>
    public double? ClipNorm { get; init; }
}
