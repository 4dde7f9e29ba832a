namespace LlavaCluster.Training.Tuning;

/// <summary>What a participant's share of a step came to.</summary>
/// <param name="Losses">The sum over the learned tokens of its samples.</param>
/// <param name="Terms">How many tokens these are.</param>
/// <param name="Divergence">Not null where a loss or gradient was no number; then nothing is in the buffer.</param>
public readonly record struct Accumulation(double Losses, long Terms, Divergence? Divergence = null);

/// <summary>What came of a step.</summary>
/// <param name="GradientNorm">L2, of the mean loss, before clipping.</param>
/// <param name="RateFactor">What the learning rates were multiplied with, 0 to 1.</param>
/// <param name="Divergence">Not null where the gradient was no number; then nothing was changed.</param>
public readonly record struct StepOutcome(double GradientNorm, double RateFactor, Divergence? Divergence = null);

/// <summary>A loss or gradient that is no number.</summary>
/// <param name="Step">From 0.</param>
/// <param name="Record">The record it came from, by its place in the data file; null where none alone makes it.</param>
/// <param name="Id">The record's own.</param>
/// <param name="What">Which value, for example <c>the loss is NaN</c>.</param>
public sealed record Divergence(long Step, int? Record, string? Id, string What)
{
    /// <summary>Of the data set: the samples of which it may be one.</summary>
    internal IReadOnlyList<int> Suspects { get; init; } = [];

    public override string ToString() => $"step {Step}: {What}{(Record is { } record ? $" at record {record}{(Id is null ? "" : $" ({Id})")}" : ", and no record alone makes it")}.";
}

/// <summary>Loss on samples that were not trained on.</summary>
/// <param name="Loss">Mean over the learned tokens.</param>
public readonly record struct HeldOutLoss(double Loss, long Terms);
