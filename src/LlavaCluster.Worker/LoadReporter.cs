using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Hosting.Operations;
using LlavaCluster.Worker.Serving;
using LlavaCluster.Worker.Training;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.Runtime;
using Orleans.Runtime.Services;

namespace LlavaCluster.Worker;

/// <summary>
/// Tells every front of this worker's load, several times a second, until its last answer has ended. A silo that is slow to listen misses reports; the others do not wait for it.
/// </summary>
internal sealed partial class LoadReporter(
    IServiceProvider services, ClusterSilos silos, IEngineHost engine, IEnumerable<Trainer> trainers, WorkerOptions options, IOptions<SiloOptions> silo, IHostApplicationLifetime lifetime,
    TimeProvider time, ILogger<LoadReporter> logger)
    : ISiloLoop
{
    private readonly Dictionary<SiloAddress, Task> _tellings = [];

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var agents = new Agents(services);
        var worker = new WorkerKey(silo.Value.SiloName, 0);
        // Restarts give larger numbers, so that a front never takes a report of a dead process for news.
        var epoch = time.GetUtcNow().UtcTicks;
        using var timer = new PeriodicTimer(options.ReportEvery, time);
        try
        {
            do
            {
                // While the model loads there is nothing to tell; what fronts know of the process before this one stands.
                if (!engine.Models.IsEmpty)
                {
                    Tell(agents, Read(worker), ++epoch);
                }
            }
            while (await timer.WaitForNextTickAsync(cancellationToken));
        }
        finally
        {
            await Task.WhenAll(_tellings.Values);
        }
    }

    private void Tell(Agents agents, WorkerLoad load, long epoch)
    {
        foreach (var ended in _tellings.Where(telling => telling.Value.IsCompleted).Select(telling => telling.Key).ToArray())
        {
            _tellings.Remove(ended);
        }

        foreach (var address in silos.Fronts.Where(address => !_tellings.ContainsKey(address)))
        {
            _tellings.Add(address, TellAsync(agents, address, load, epoch));
        }
    }

    private WorkerLoad Read(WorkerKey worker)
    {
        var status = engine.Status;
        return new WorkerLoad
        {
            Worker = worker,
            Ready = status.Ready && !lifetime.ApplicationStopping.IsCancellationRequested,
            Models = engine.Models,
            Waiting = status.Waiting,
            Trainer = trainers.FirstOrDefault()?.Card,
        };
    }

    private async Task TellAsync(Agents agents, SiloAddress address, WorkerLoad load, long epoch)
    {
        try
        {
            await agents.At(address).ReportAsync(load, epoch).WaitAsync(options.ReportEvery * 4, time);
        }
        catch (Exception exception)
        {
            // Also a cancelled call, which is how Orleans ends one to a silo that is dying: it must not end the reporting.
            LogUntold(address, exception.Message); // a silo without an agent, or one that is going
        }
    }

    [LoggerMessage(LogLevel.Debug, "Silo {Silo} was not told of the load: {Reason}")]
    private partial void LogUntold(SiloAddress silo, string reason);

    private sealed class Agents(IServiceProvider services) : GrainServiceClient<IWorkerAgent>(services)
    {
        public IWorkerAgent At(SiloAddress silo) => GetGrainService(silo);
    }
}
