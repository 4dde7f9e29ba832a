namespace LlavaCluster.Cli.Benchmarks.Switching;

/// <summary>Which versions answer an adapter's name.</summary>
/// <param name="OnTrial">For a part of the conversations; null: none.</param>
internal readonly record struct TrafficState(string InUse, string? OnTrial)
{
    public bool Answers(string? version) => version is not null && (version == InUse || version == OnTrial);
}
