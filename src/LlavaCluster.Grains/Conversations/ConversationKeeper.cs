using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Hosting.Tenancy;
using LlavaCluster.Storage.Conversations;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;

namespace LlavaCluster.Grains.Conversations;

/// <summary>Wakes the conversations whose turns a lost front left running: when this front starts, when the membership changes, and now and then. Drops expired ones.</summary>
internal sealed partial class ConversationKeeper(
    IConversationLog log,
    IGrainFactory grains,
    TenantStamps stamps,
    IClusterMembershipService membership,
    TimeProvider clock,
    ILogger<ConversationKeeper> logger) : BackgroundService
{
    private static readonly TimeSpan Round = TimeSpan.FromSeconds(15);
    private readonly SemaphoreSlim _oneAtATime = new(1);

    public override void Dispose()
    {
        _oneAtATime.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await Task.WhenAll(OnChangesAsync(stoppingToken), OnTimeAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The host stops.
        }
    }

    private async Task OnChangesAsync(CancellationToken stoppingToken)
    {
        await foreach (var _ in membership.MembershipUpdates.WithCancellation(stoppingToken))
        {
            await TendAsync(stoppingToken);
        }
    }

    private async Task OnTimeAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Round, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            await TendAsync(stoppingToken);
        }
    }

    private async Task TendAsync(CancellationToken stoppingToken)
    {
        await _oneAtATime.WaitAsync(stoppingToken);
        try
        {
            foreach (var conversation in await log.UnfinishedAsync(stoppingToken))
            {
                await WakeAsync(conversation, stoppingToken);
            }

            await log.DropExpiredAsync(clock.GetUtcNow(), stoppingToken);
        }
        catch (Exception fault) when (fault is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
        {
            // The next round tries again.
            LogSkipped(fault.Message);
        }
        finally
        {
            _oneAtATime.Release();
        }
    }

    private async Task WakeAsync(ConversationKey conversation, CancellationToken stoppingToken)
    {
        try
        {
            stamps.Stamp(conversation.Tenant);
            await grains.GetGrain<IConversationGrain>(conversation.ToString()).ResumeAsync(stoppingToken);
        }
        catch (Exception fault) when (!stoppingToken.IsCancellationRequested)
        {
            LogNotWoken(conversation, fault.Message);
        }
    }

    [LoggerMessage(LogLevel.Warning, "A round of the conversation keeper was skipped: {Reason}")]
    private partial void LogSkipped(string reason);

    [LoggerMessage(LogLevel.Warning, "Conversation {Conversation} was not woken: {Reason}")]
    private partial void LogNotWoken(ConversationKey conversation, string reason);
}
