using LlavaCluster.Model.Config;
using LlavaCluster.Model.Text;
using LlavaCluster.Training.Data;
using LlavaCluster.Training.Objectives;

namespace LlavaCluster.Training.Tests.Training;

/// <summary>A model small enough to train in a test, and batches for it that follow from their index.</summary>
internal static class TinyModel
{
    private const int Features = 4;
    private const int Pixels = 3 * 8 * 8;

    public static LlavaConfig Config { get; } = new()
    {
        Family = ModelFamily.Llava15,
        Vision = new VisionConfig { Hidden = 16, Intermediate = 24, Layers = 2, Heads = 2, ImageSize = 8, PatchSize = 4, Activation = Activation.Gelu },
        Text = new TextConfig { VocabSize = 32, Hidden = 16, Intermediate = 24, Layers = 2, Heads = 2, KvHeads = 2, HeadDim = 8, MaxPositions = 64 },
        Projector = new ProjectorConfig(2),
        ImageTokenId = 31,
        FeatureLayers = [1],
        FeatureSelect = FeatureSelect.Patch,
    };

    /// <summary>Names of the background, of one token and of two; then the words of places, sizes and middles.</summary>
    public static PatchWords Words { get; } = new(["nothing", "dog", "light bulb"], word => word switch
    {
        "nothing" => [5],
        "dog" => [9],
        "light bulb" => [12, 17],
        _ => [20 + Array.IndexOf(["left", "right", "top", "bottom", "center", "smallest", "largest", "object", "picture"], word)],
    });

    public static TokenBatch Batch(long first, int count) => Batch([.. Enumerable.Range(0, count).Select(i => Sample(first + i))]);

    public static TokenBatch Batch(IReadOnlyList<TrainingSample> samples) => new(samples, Features, Pixels);

    /// <summary>One picture and two to eight tokens to learn.</summary>
    public static TrainingSample Sample(long index)
    {
        var random = new Random((int)index);
        PromptToken Word(bool learned) => new(random.Next(3, 30), -1, learned);
        List<PromptToken> tokens = [new(1, -1, false), new(Config.ImageTokenId, 0, false), Word(false)];
        for (var i = random.Next(2, 9); i > 0; i--)
        {
            tokens.Add(Word(true));
        }

        return new TrainingSample(tokens, [.. Enumerable.Range(0, Pixels).Select(_ => random.NextSingle() - 0.5f)]);
    }
}
