using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Hosting.Tenancy;
using LlavaCluster.Storage.Training;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Grains.Training;

/// <summary>Wakes the jobs that have not ended, so that one whose front was lost goes on from another: the store is the reminder.</summary>
internal sealed partial class TrainingKeeper(ITrainingStore store, IGrainFactory grains, TenantStamps stamps, TimeProvider clock, ILogger<TrainingKeeper> logger) : BackgroundService
{
    private static readonly TimeSpan Round = TimeSpan.FromSeconds(3);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Round, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                await TendAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The host stops.
        }
    }

    private async Task TendAsync(CancellationToken stoppingToken)
    {
        try
        {
            foreach (var job in await store.UnfinishedAsync(stoppingToken))
            {
                await WakeAsync(job, stoppingToken);
            }
        }
        catch (Exception fault) when (fault is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
        {
            // The next round tries again.
            LogSkipped(fault.Message);
        }
    }

    private async Task WakeAsync(TrainingJobKey job, CancellationToken stoppingToken)
    {
        try
        {
            stamps.Stamp(job.Tenant);
            await grains.GetGrain<ITrainingJobGrain>(job.ToString()).TendAsync(stoppingToken);
        }
        catch (Exception fault) when (!stoppingToken.IsCancellationRequested)
        {
            LogNotWoken(job, fault.Message);
        }
    }

    [LoggerMessage(LogLevel.Warning, "A round of the training keeper was skipped: {Reason}")]
    private partial void LogSkipped(string reason);

    [LoggerMessage(LogLevel.Warning, "Job {Job} was not woken: {Reason}")]
    private partial void LogNotWoken(TrainingJobKey job, string reason);
}
