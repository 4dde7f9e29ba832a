using LlavaCluster.Model.Config;

namespace LlavaCluster.Cli.Models;

/// <summary>
/// Shapes of LLaVA-1.5 models by name, for trying a size without its weights: the published 7B and 13B (CLIP ViT-L/14 at 336 pixels with Vicuna) and smaller ones of the
/// same build.
/// </summary>
internal static class ModelShapes
{
    private const int Rows = 32064; // llava-hf's vocabulary: 32000 pieces, <image>, <pad>, and padding to a multiple of 64

    private static readonly VisionConfig ClipLarge = new() { Hidden = 1024, Intermediate = 4096, Layers = 24, Heads = 16, ImageSize = 336, PatchSize = 14 };

    private static readonly Dictionary<string, (VisionConfig Vision, TextConfig Text)> Known = new(StringComparer.Ordinal)
    {
        ["small"] = (
            new VisionConfig { Hidden = 512, Intermediate = 2048, Layers = 12, Heads = 8, ImageSize = 224, PatchSize = 14 },
            new TextConfig { VocabSize = Rows, Hidden = 768, Intermediate = 2048, Layers = 12, Heads = 12, KvHeads = 12, HeadDim = 64, MaxPositions = 4096, RmsNormEpsilon = 1e-5 }),
        ["medium"] = (
            ClipLarge,
            new TextConfig { VocabSize = Rows, Hidden = 2048, Intermediate = 5632, Layers = 22, Heads = 32, KvHeads = 4, HeadDim = 64, MaxPositions = 4096, RmsNormEpsilon = 1e-5 }),
        ["7b"] = (ClipLarge, new TextConfig { VocabSize = Rows, MaxPositions = 4096, RmsNormEpsilon = 1e-5 }),
        ["13b"] = (
            ClipLarge,
            new TextConfig { VocabSize = Rows, Hidden = 5120, Intermediate = 13824, Layers = 40, Heads = 40, KvHeads = 40, MaxPositions = 4096, RmsNormEpsilon = 1e-5 }),
    };

    public static string[] Names => [.. Known.Keys];

    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="pieces">Size of the tokeniser the model will have; at most 32062.</param>
    public static LlavaConfig Config(string name, int pieces)
    {
        if (pieces > Rows - 2)
        {
            throw new ArgumentOutOfRangeException(nameof(pieces), pieces, $"The tokenizer must have at most {Rows - 2} pieces; had {pieces}.");
        }

        var (vision, text) = Known[name];
        return new LlavaConfig
        {
            Family = ModelFamily.Llava15,
            Vision = vision,
            Text = text,
            Projector = new ProjectorConfig(2),
            ImageTokenId = pieces,
            PadTokenId = pieces + 1,
            FeatureLayers = [vision.Layers - 1],
            FeatureSelect = FeatureSelect.Patch,
        };
    }
}
