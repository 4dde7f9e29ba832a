namespace LlavaCluster.Training.Distributed;

/// <summary>The outer optimiser of low-communication training. The defaults are the paper's (<see cref="OuterStep"/>).</summary>
public sealed record OuterStepOptions
{
    /// <summary>0.7.</summary>
    public float LearningRate { get; init; } = 0.7f;

    /// <summary>Of Nesterov, 0.9; 0 for none.</summary>
    public float Momentum { get; init; } = 0.9f;

    internal void Validate()
    {
        if (!(LearningRate > 0) || !float.IsFinite(LearningRate))
        {
            throw new ArgumentOutOfRangeException(nameof(LearningRate), $"{nameof(LearningRate)} must be above 0; was {LearningRate}.");
        }

        if (!(Momentum >= 0 && Momentum < 1))
        {
            throw new ArgumentOutOfRangeException(nameof(Momentum), $"{nameof(Momentum)} must be from 0 to below 1; was {Momentum}.");
        }
    }
}
