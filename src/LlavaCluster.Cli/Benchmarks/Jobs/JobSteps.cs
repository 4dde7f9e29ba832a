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

    /// <summary>Steps a second from the last report before a time, or the first after it, to the last before another; 0 where that is the same one.</summary>
    public double PerSecond(TimeSpan from, TimeSpan to)
    {
        lock (_gate)
        {
            var before = _heard.FindLastIndex(report => report.At <= from);
            var (first, last) = (_heard[Math.Max(before, 0)], _heard.FindLast(report => report.At <= to));
            return last.Step > first.Step ? (last.Step - first.Step) / (last.At - first.At).TotalSeconds : 0;
        }
    }
}
