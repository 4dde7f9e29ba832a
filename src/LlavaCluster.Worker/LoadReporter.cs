using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Hosting;
using LlavaCluster.Worker.Serving;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.Runtime;
using Orleans.Runtime.Services;

namespace LlavaCluster.Worker;

/// <summary>Tells every silo of this worker's load, several times a second. A silo that cannot be told is left out: it will hear the next one.</summary>
internal sealed partial class LoadReporter(
    IServiceProvider services, IClusterMembershipService membership, IEngineHost engine, WorkerOptions options, IOptions<SiloOptions> silo, IHostApplicationLifetime lifetime,
    TimeProvider time, ILogger<LoadReporter> logger)
    : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var agents = new Agents(services);
        var worker = new WorkerKey(silo.Value.SiloName, 0);
        // Restarts give larger numbers, so that a front never takes a report of a dead process for news.
        var epoch = time.GetUtcNow().UtcTicks;
        using var timer = new PeriodicTimer(options.ReportEvery, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                var load = Read(worker);
                epoch++;
                await Task.WhenAll(ActiveSilos().Select(address => TellAsync(agents, address, load, epoch)));
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The host stops.
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
            Running = status.Running,
            Waiting = status.Waiting,
            FreeKvTokens = status.FreeKvTokens,
            TotalKvTokens = status.TotalKvTokens,
            Device = status.Device,
            TokensPerSecond = status.TokensPerSecond,
        };
    }

    private IEnumerable<SiloAddress> ActiveSilos() =>
        membership.CurrentSnapshot.Members.Values.Where(member => member.Status == SiloStatus.Active).Select(member => member.SiloAddress);

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
