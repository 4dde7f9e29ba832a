using System.Globalization;

namespace LlavaCluster.Training.Tuning;

/// <summary>What one step was.</summary>
/// <param name="Step">From 1: steps applied after it.</param>
/// <param name="Loss">Mean over its learned tokens, before the step.</param>
/// <param name="GradientNorm">Before clipping.</param>
/// <param name="LearningRate">Of everything but the projector.</param>
/// <param name="HeldOut">The loss on samples held out after it; null where it was not measured.</param>
public sealed record StepRecord(long Step, double Loss, long Terms, double GradientNorm, double LearningRate, double? HeldOut = null)
{
    internal const string Header = "step,loss,terms,gradient_norm,learning_rate,held_out_loss";

    internal string ToLine() => string.Create(CultureInfo.InvariantCulture, $"{Step},{Loss:R},{Terms},{GradientNorm:R},{LearningRate:R},{HeldOut:R}");

    internal static StepRecord? OfLine(string line)
    {
        var parts = line.Split(',');
        return parts.Length == 6 && long.TryParse(parts[0], CultureInfo.InvariantCulture, out var step) && Number(parts[1]) is { } loss
            && long.TryParse(parts[2], CultureInfo.InvariantCulture, out var terms) && Number(parts[3]) is { } norm && Number(parts[4]) is { } rate
            ? new StepRecord(step, loss, terms, norm, rate, Number(parts[5]))
            : null;

        static double? Number(string text) => double.TryParse(text, CultureInfo.InvariantCulture, out var number) ? number : null;
    }
}
