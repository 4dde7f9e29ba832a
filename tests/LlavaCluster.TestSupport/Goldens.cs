namespace LlavaCluster.TestSupport;

/// <summary>Finds the reference fixtures of <c>tests/goldens</c>, whatever folder the tests were built to.</summary>
public static class Goldens
{
    private static readonly Lazy<string> RootFolder = new(Find);

    /// <summary>The three checkpoints, each a folder in the Hugging Face layout with <c>expected/</c> beside the weights.</summary>
    public static IReadOnlyList<string> Checkpoints { get; } = ["a_llava15", "b_llava_gqa_bf16", "c_llava_next"];

    /// <summary>The full path of a file or folder below <c>tests/goldens</c>, for example <c>Path("a_llava15", "config.json")</c>.</summary>
    public static string Path(params string[] parts) => System.IO.Path.Combine([RootFolder.Value, .. parts]);

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var candidate = System.IO.Path.Combine(folder.FullName, "tests", "goldens");
            if (File.Exists(System.IO.Path.Combine(candidate, "manifest.json")))
            {
                return candidate;
            }
        }

        throw new DirectoryNotFoundException($"No tests/goldens at or above '{AppContext.BaseDirectory}'.");
    }
}
