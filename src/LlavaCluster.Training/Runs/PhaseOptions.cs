using LlavaCluster.Training.Optimisation;

namespace LlavaCluster.Training.Runs;

/// <summary>One phase of a training run.</summary>
public sealed record PhaseOptions
{
    /// <summary>Names the phase's checkpoint and its lines of progress.</summary>
    public required string Name { get; init; }

    public required long Steps { get; init; }

    /// <summary>Samples of one step, over all replicas.</summary>
    public required int SamplesPerStep { get; init; }

    public double LearningRate { get; init; } = 1e-3;

    /// <summary>Of matrices; norms, biases and tables never decay.</summary>
    public double WeightDecay { get; init; } = 0.05;

    /// <summary>Share of the steps; the paper's is 0.03.</summary>
    public double Warmup { get; init; } = 0.03;

    public AdamWOptions Optimiser { get; init; } = new() { ClipNorm = 1 };

    public TimeSpan CheckpointEvery { get; init; } = TimeSpan.FromMinutes(2);

    public TimeSpan ReportEvery { get; init; } = TimeSpan.FromSeconds(20);
}
