namespace LlavaCluster.Grains.Tests.Support;

/// <summary>A data directory that goes with its test.</summary>
internal sealed class DataFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("llava-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
