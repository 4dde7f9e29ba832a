using LlavaCluster.Training.Scenes;

namespace LlavaCluster.Training.Tests.Scenes;

/// <summary>Annotations for tests: hand-placed ones, and random ones over all classes with no picture behind them.</summary>
internal static class SceneSamples
{
    public const int Side = 112;

    public static SceneAnnotation Annotation(params (string Category, int X, int Y, int Width, int Height)[] objects) => new(
        "sample", Side, Side, [.. objects.Select(item => new SceneInstance(item.Category, new(item.X, item.Y, item.Width, item.Height)))], ["A sample."]);

    /// <summary>One to five boxes anywhere, with repeated classes; by a generator of its own.</summary>
    public static SceneAnnotation Random(int seed)
    {
        var random = new Random(seed);
        var classes = Enumerable.Range(0, 3).Select(_ => SceneClasses.Default[random.Next(SceneClasses.Default.Count)].Name).ToList();
        var instances = Enumerable.Range(0, 1 + random.Next(5)).Select(_ =>
        {
            var (width, height) = (20 + random.Next(36), 20 + random.Next(36));
            return new SceneInstance(classes[random.Next(3)], new(random.Next(Side - width), random.Next(Side - height), width, height));
        });
        return new($"random-{seed}", Side, Side, [.. instances], ["A sample."]);
    }
}
