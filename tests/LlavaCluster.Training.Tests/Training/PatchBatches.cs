using LlavaCluster.Training.Data;
using LlavaCluster.Training.Scenes;

namespace LlavaCluster.Training.Tests.Training;

internal static class PatchBatches
{
    public const int Patches = 8;
    private const int Pixels = 3 * 8 * 8;

    /// <summary>Two pictures of noise for <see cref="TinyModel"/>, with objects of two classes in some of their four patches each.</summary>
    public static PatchBatch Random()
    {
        var random = new Random(1);
        return new PatchBatch(
            2,
            [.. Enumerable.Range(0, 2 * Pixels).Select(_ => random.NextSingle() - 0.5f)],
            [default, new(1, 0.3f, 0.8f, 0.2f, 1), new(2, 0.6f, 0.1f, 0.4f, 1), default, new(2, 0.5f, 0.5f, 0.3f, 0), new(1, 0.2f, 0.2f, 0.5f, 1), default, default]);
    }
}
