namespace LlavaCluster.Training.Distributed;

/// <summary>The outer optimiser of low-communication training. The defaults are the paper's (<see cref="OuterStep"/>), for runs with many agreements.</summary>
public sealed record OuterStepOptions
{
    private const double Horizons = 10;

    /// <summary>0.7.</summary>
    public float LearningRate { get; init; } = 0.7f;

    /// <summary>Of Nesterov, 0.9; 0 for none.</summary>
    public float Momentum { get; init; } = 0.9f;

    /// <summary>
    /// For a run of so many steps. Momentum adds up what members did over 1 / (1 - momentum) agreements, as if the model had gone on that way; a run with few agreements is over before that is
    /// corrected. So the horizon is a tenth of the run at most, and where that is one agreement or less, the model is the mean of its members'.
    /// </summary>
    internal static OuterStepOptions For(long totalSteps, int localSteps)
    {
        var usual = new OuterStepOptions();
        var agreements = ((totalSteps - 1) / localSteps) + 1;
        var momentum = Math.Clamp((float)(1 - (Horizons / agreements)), 0, usual.Momentum);
        return new OuterStepOptions { Momentum = momentum, LearningRate = 1 - ((1 - usual.LearningRate) * momentum / usual.Momentum) };
    }

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
