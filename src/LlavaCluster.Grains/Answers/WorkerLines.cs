using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Grains.Workers;
using LlavaCluster.Hosting.Operations;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Grains.Answers;

/// <summary>
/// This front's lines to the workers: one each, opened with the first answer that is asked for and kept while the worker is heard of. They end with the silo's drain, while the workers'
/// grains can still be told. Members may be called from any thread.
/// </summary>
internal sealed class WorkerLines(IGrainFactory grains, WorkerTable workers, TimeProvider clock, ILogger<WorkerLine> logger) : ISiloLoop
{
    /// <summary>For the workers to hear that their lines end; a dead one never does.</summary>
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<WorkerKey, WorkerLine> _lines = [];
    private readonly CancellationTokenSource _stop = new(); // of no timer and no other source: nothing to dispose

    /// <param name="giveUp">Ends the answer for its reader, who leaves it then.</param>
    public WorkerAnswer Ask(WorkerKey worker, GenerateRequest request, CancellationToken giveUp) => new(LineTo(worker), request, giveUp);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, clock, cancellationToken);
        }
        finally
        {
            await Task.WhenAny(EndAsync(), Task.Delay(Farewell, clock, CancellationToken.None));
        }
    }

    private WorkerLine LineTo(WorkerKey worker)
    {
        lock (_gate)
        {
            if (!_lines.TryGetValue(worker, out var line) || line.HasEnded)
            {
                ForgetEnded();
                _lines[worker] = line = new WorkerLine(grains.GetGrain<IModelWorkerGrain>(worker.ToString()), worker, logger, workers.Gone(worker), _stop.Token);
            }

            return line;
        }
    }

    // A worker that comes back may have another name.
    private void ForgetEnded()
    {
        foreach (var (worker, line) in _lines)
        {
            if (line.Done.IsCompleted)
            {
                _lines.Remove(worker);
            }
        }
    }

    private async Task EndAsync()
    {
        await _stop.CancelAsync();
        List<WorkerLine> lines;
        lock (_gate)
        {
            lines = [.. _lines.Values];
        }

        await Task.WhenAll(lines.Select(line => line.Done));
    }
}
