using LlavaCluster.Abstractions.Training;

namespace LlavaCluster.Grains.Training;

/// <summary>
/// Thins what a job's trainers report of its steps to a bounded number of points over the whole job, each the mean of the steps since the one before: the loss curve of a week is as readable as that of a minute.
/// Not thread-safe.
/// </summary>
internal sealed class JobProgress
{
    /// <summary>Of a job without a break; steps that are made again after one may add to them.</summary>
    public const int MostPoints = 2_000;

    private double _losses;
    private long _weights, _tokens, _told;

    /// <summary>Takes a report's numbers in.</summary>
    /// <param name="tokens">Learned since the last report.</param>
    /// <returns>The next point; null where it is not due.</returns>
    public TrainingMetrics? Add(TrainingMetrics? metrics, long tokens)
    {
        _tokens += tokens;
        if (metrics is null)
        {
            return null;
        }

        var weight = Math.Max(1, _tokens);
        (_losses, _weights, _tokens) = (_losses + (metrics.Loss * weight), _weights + weight, 0);
        var isDue = metrics.Step >= metrics.TotalSteps || metrics.Step < _told || (metrics.Step - _told) * MostPoints >= metrics.TotalSteps;
        if (!isDue)
        {
            return null;
        }

        var point = metrics with { Loss = _losses / _weights };
        (_losses, _weights, _told) = (0, 0, metrics.Step);
        return point;
    }
}
