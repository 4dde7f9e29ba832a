namespace LlavaCluster.Model.Config;

/// <summary>A LLaMA-family language model (LLaMA, Vicuna, Mistral). The defaults are those of Hugging Face's LlamaConfig.</summary>
public sealed record TextConfig
{
    public int VocabSize { get; init; } = 32000;

    public int Hidden { get; init; } = 4096;

    public int Intermediate { get; init; } = 11008;

    public int Layers { get; init; } = 32;

    public int Heads { get; init; } = 32;

    public int KvHeads { get; init; } = 32;

    public int HeadDim { get; init; } = 128;

    public double RopeTheta { get; init; } = 10000;

    /// <summary>Positions are divided by this before the rotation (rope_scaling type linear); 1 where there is none.</summary>
    public double RopeLinearFactor { get; init; } = 1;

    public double RmsNormEpsilon { get; init; } = 1e-6;

    public int MaxPositions { get; init; } = 2048;

    public bool AttentionBias { get; init; }

    public bool MlpBias { get; init; }

    public bool TieWordEmbeddings { get; init; }
}
