using LlavaCluster.Model.Kernels.Products;

namespace LlavaCluster.Cli.Benchmarks;

internal sealed record DeviceBenchmarkOptions
{
    public required int Threads { get; init; }

    /// <summary>What to make of the language model's matrices; null leaves them as they are.</summary>
    public WeightFormat? Weights { get; init; }

    /// <summary>Sequences of a decoding step.</summary>
    public required IReadOnlyList<int> Batches { get; init; }

    /// <summary>Sequences that decode with an adapter each, beside as many of the base; 0 for no such measurement.</summary>
    public required int Adapters { get; init; }

    /// <summary>Rank of the first and of the last of them; the others lie evenly between.</summary>
    public required (int First, int Last) Ranks { get; init; }

    /// <summary>Tokens that a decoding sequence sees.</summary>
    public required int Context { get; init; }

    /// <summary>Tokens of the prompt whose prefill is timed.</summary>
    public required int Prompt { get; init; }

    /// <summary>Repetitions of which the median counts.</summary>
    public required int Rounds { get; init; }
}
