using LlavaCluster.Model.Config;

namespace LlavaCluster.Model.Tests.Kernels.Operators;

internal static class TinyConfig
{
    /// <summary>A language model of this shape behind the smallest tower there is.</summary>
    public static LlavaConfig With(TextConfig text) => new()
    {
        Family = ModelFamily.Llava15,
        Vision = new VisionConfig { Hidden = 16, Intermediate = 24, Layers = 2, Heads = 2, ImageSize = 8, PatchSize = 4 },
        Text = text,
        Projector = new ProjectorConfig(2),
        ImageTokenId = text.VocabSize - 1,
        FeatureLayers = [1],
        FeatureSelect = FeatureSelect.Patch,
    };
}
