using LlavaCluster.Model.Config;
using LlavaCluster.Training.Runs;

namespace LlavaCluster.Training.Presets;

/// <summary>
/// The small LLaVA this repository ships: its shape and how long each phase learns. A CLIP-like tower at 112 pixels with patches of 14 (64 features a picture), the
/// two-layer projector of LLaVA-1.5 and a LLaMA of five layers: under 8 million parameters, so that bfloat16 weights stay under 16 MB.
/// </summary>
public sealed record ScenesRecipe
{
    public const int ImageSize = 112;
    public const int PatchSize = 14;

    /// <summary>At most, bytes and the steps of merging included: nearly every word of the corpus gets a token of its own.</summary>
    public int VocabularySize { get; init; } = 1020;

    public long EncoderSteps { get; init; } = 7500;

    public long RecallSteps { get; init; } = 600;

    public long LanguageSteps { get; init; } = 700;

    public long AlignmentSteps { get; init; } = 800;

    public long ProjectorSteps { get; init; } = 80;

    public long InstructionSteps { get; init; } = 3000;

    /// <summary>Of the phases that learn from patches, whose labels are dense, or from one short answer a picture.</summary>
    public int PicturesPerStep { get; init; } = 32;

    /// <summary>Of the phases that learn from conversations: some ten answers each.</summary>
    public int ConversationsPerStep { get; init; } = 16;

    /// <summary>Share of conversations whose first question comes before the picture; the paper draws it even, but every reader of this model puts the picture first.</summary>
    public double QuestionFirst { get; init; } = 0.1;

    /// <summary>Chooses scenes and weights.</summary>
    public int Seed { get; init; } = 1;

    /// <param name="pieces">Size of the tokeniser; the picture and padding tokens follow it, and rows are padded to a multiple of 64.</param>
    public static LlavaConfig Config(int pieces) => new()
    {
        Family = ModelFamily.Llava15,
        Vision = new VisionConfig { Hidden = 256, Intermediate = 640, Layers = 6, Heads = 4, ImageSize = ImageSize, PatchSize = PatchSize, Activation = Activation.Gelu },
        Text = new TextConfig
        {
            VocabSize = (pieces + 2 + 63) / 64 * 64, Hidden = 256, Intermediate = 704, Layers = 5, Heads = 4, KvHeads = 4, HeadDim = 64, MaxPositions = 2048, RmsNormEpsilon = 1e-5,
        },
        Projector = new ProjectorConfig(2),
        ImageTokenId = pieces,
        PadTokenId = pieces + 1,
        FeatureLayers = [5],
        FeatureSelect = FeatureSelect.Patch,
    };

    /// <summary>The same recipe with every phase shorter or longer.</summary>
    public ScenesRecipe Scale(double share) => this with
    {
        EncoderSteps = Scaled(EncoderSteps, share), RecallSteps = Scaled(RecallSteps, share), LanguageSteps = Scaled(LanguageSteps, share), AlignmentSteps = Scaled(AlignmentSteps, share), ProjectorSteps = Scaled(ProjectorSteps, share), InstructionSteps = Scaled(InstructionSteps, share),
    };

    public PhaseOptions Encoder => new() { Name = "encoder", Steps = EncoderSteps, SamplesPerStep = PicturesPerStep, LearningRate = 1e-3 };

    public PhaseOptions Recall => new() { Name = "recall", Steps = RecallSteps, SamplesPerStep = PicturesPerStep, LearningRate = 1e-3 };

    public PhaseOptions Language => new() { Name = "language", Steps = LanguageSteps, SamplesPerStep = ConversationsPerStep, LearningRate = 1e-3 };

    public PhaseOptions Alignment => new() { Name = "alignment", Steps = AlignmentSteps, SamplesPerStep = PicturesPerStep, LearningRate = 1e-3, WeightDecay = 0 };

    public PhaseOptions Projector => new() { Name = "projector", Steps = ProjectorSteps, SamplesPerStep = PicturesPerStep, LearningRate = 1e-3, WeightDecay = 0 };

    public PhaseOptions Instruction => new() { Name = "instruction", Steps = InstructionSteps, SamplesPerStep = ConversationsPerStep, LearningRate = 5e-4 };

    /// <summary>More of the encoder phase, from a tower that has been through it.</summary>
    public PhaseOptions ContinuedEncoder => Encoder with { LearningRate = 5e-4 };

    /// <summary>More of the instruction phase, from weights that have been through it: the full rate would first undo some of what they know.</summary>
    public PhaseOptions Continued => Instruction with { LearningRate = 3e-4 };

    private static long Scaled(long steps, double share) => Math.Max(1, (long)Math.Round(steps * share));
}
