namespace LlavaCluster.Training.Scenes;

/// <summary>What to write and where.</summary>
public sealed class SceneExportOptions
{
    public const int MaxCount = 5_000_000;

    /// <summary>A folder that is empty or does not exist yet.</summary>
    public required string Directory { get; init; }

    /// <summary>Scenes, 1 to 5,000,000.</summary>
    public required int Count { get; init; }

    /// <summary>0 to 4,194,303; default 1.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Default: training.</summary>
    public SceneSplit Split { get; init; } = SceneSplit.Training;

    /// <summary>How answers sound; default as the teacher writes.</summary>
    public SceneVoice Voice { get; init; } = SceneVoice.Plain;

    internal void Validate()
    {
        if (Count is < 1 or > MaxCount)
        {
            throw new ArgumentException($"count must be between 1 and {MaxCount}; was {Count}.");
        }

        SceneKey.Create(Split, Seed, Count - 1L);
        if (System.IO.Directory.Exists(Directory) && System.IO.Directory.EnumerateFileSystemEntries(Directory).Any())
        {
            throw new ArgumentException($"out must be an empty or new folder; '{Directory}' holds files.");
        }
    }
}
