using LlavaCluster.Cli.Benchmarks.Load;

namespace LlavaCluster.Cli.Benchmarks.Jobs;

/// <summary>Chats and the job beside them.</summary>
internal sealed record JobBenchmarkOptions
{
    /// <summary>Chats that stream at once.</summary>
    public required int AtOnce { get; init; }

    /// <summary>Of each of the four stretches.</summary>
    public required TimeSpan Stretch { get; init; }

    /// <summary>Conversations to train on; null: drawn ones.</summary>
    public required string? Data { get; init; }

    /// <summary>A zip of their pictures.</summary>
    public required string? Pictures { get; init; }

    /// <summary>Samples that the trainer computes at once, and of a step.</summary>
    public required (int Micro, int Step) Batch { get; init; }

    /// <summary>The chats' questions: as many as its <c>Chats</c>.</summary>
    public required LoadOptions Load { get; init; }
}
