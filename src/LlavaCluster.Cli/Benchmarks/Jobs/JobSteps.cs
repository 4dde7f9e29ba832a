using LlavaCluster.Cli.Benchmarks.Load;
using LlavaCluster.Cli.Tuning;

namespace LlavaCluster.Cli.Benchmarks.Jobs;

/// <summary>When a job's steps were heard of. One task watches; others may ask meanwhile.</summary>
internal sealed class JobSteps(TuningApi api, string job, LoadClock clock)
{
    private readonly Lock _gate = new();
    private readonly List<(TimeSpan At, long Step)> _heard = [];
    private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes with the first report; fails where the job ends without one.</summary>
    public Task Begun => _begun.Task;

    /// <returns>When the job's end was heard of.</returns>
    public async Task<TimeSpan> WatchAsync(CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var line in api.WatchAsync(job, cancellationToken))
            {
                if ((string?)line["type"] == "metrics" && (long?)line["data"]?["step"] is { } step)
                {
                    lock (_gate)
                    {
                        _heard.Add((clock.Now, step));
                    }

                    _begun.TrySetResult();
                }
            }

            return clock.Now;
        }
        finally
        {
            _begun.TrySetException(new InvalidDataException($"Job {job} ended before its first step."));
        }
    }

    /// <summary>Steps a second between two times, from the first to the last report between them; 0 where there are not two.</summary>
    public double PerSecond(TimeSpan from, TimeSpan to)
    {
        lock (_gate)
        {
            var heard = _heard.Where(report => report.At >= from && report.At <= to).ToList();
            return heard.Count < 2 ? 0 : (heard[^1].Step - heard[0].Step) / (heard[^1].At - heard[0].At).TotalSeconds;
        }
    }
}
