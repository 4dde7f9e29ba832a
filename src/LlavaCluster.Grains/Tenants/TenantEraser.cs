using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Abstractions.Workers;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Grains.Tenants;

/// <summary>
/// The work of an erasure. First nobody may add to what there is: the fronts let none of the tenant's requests in. Then what there is is counted, and that is durable before any of it goes.
/// Then all of it goes, the objects when no trainer and no request writes any more. Each part may be done again. Runs in its grain's turns.
/// </summary>
internal sealed partial class TenantEraser(TenantId tenant, ErasureStores stores, ErasureSurroundings surroundings, TimeProvider clock, ILogger logger)
{
    private const int JobsAtOnce = 50;
    private const int ConversationsAtOnce = 32;

    private readonly HashSet<WorkerKey> _cleared = [];

    /// <summary>Does what is due, and returns how far it came; what it found and let go of is to be durable before the next call.</summary>
    public async Task<TenantErasure> TendAsync(TenantErasure erasure)
    {
        if (!await CloseAsync())
        {
            return erasure with { WaitsFor = "the tenant's requests, which were told to end, or a front that does not answer" };
        }

        if (erasure.Found is null)
        {
            return erasure with { Found = await stores.CountAsync(tenant), WaitsFor = null };
        }

        await EraseJobsAsync();
        await EraseConversationsAsync();
        await surroundings.Adapters(tenant).EraseAsync(CancellationToken.None);
        var (caches, waitsFor) = await EraseCachesAsync();
        erasure = erasure with { Caches = erasure.Caches + caches, WaitsFor = waitsFor };
        if (waitsFor is not null)
        {
            return erasure;
        }

        await stores.Files.EraseAsync(tenant, CancellationToken.None);
        await stores.Objects.EraseAsync(tenant, CancellationToken.None);
        await surroundings.Tenant(tenant).EraseAsync(CancellationToken.None);
        // What a hand that was slow to stop has put in between goes in the next round.
        return await stores.CountAsync(tenant) == default ? erasure with { FinishedAt = clock.GetUtcNow() } : erasure;
    }

    /// <summary>Every time anew: a front may have come since.</summary>
    private async Task<bool> CloseAsync() => (await Task.WhenAll(surroundings.Fronts.Select(TryCloseAsync))).All(isClosed => isClosed);

    private async Task<bool> TryCloseAsync(ITenantAgent front)
    {
        try
        {
            return await front.CloseAsync(tenant);
        }
        catch (Exception fault)
        {
            // One that is dead is no member of the cluster in a moment.
            LogNotReached(tenant, "a front", fault.Message);
            return false;
        }
    }

    private async Task EraseJobsAsync()
    {
        while (await stores.Jobs.ListAsync(tenant, null, JobsAtOnce, CancellationToken.None) is { IsEmpty: false } jobs)
        {
            foreach (var job in jobs)
            {
                await surroundings.Job(job.Key).EraseAsync(CancellationToken.None);
            }
        }
    }

    private async Task EraseConversationsAsync()
    {
        while (await stores.Conversations.ListAsync(tenant, ConversationsAtOnce, CancellationToken.None) is { IsEmpty: false } conversations)
        {
            await Task.WhenAll(conversations.Select(EraseAsync));
        }
    }

    private async Task EraseAsync(ConversationKey conversation)
    {
        try
        {
            await surroundings.Conversation(conversation).DeleteAsync(CancellationToken.None);
        }
        catch (Exception fault)
        {
            // One that cannot be read has no activation either; and an activation that is behind the log can write no more.
            LogNotReached(tenant, "a conversation", fault.Message);
            await stores.Conversations.DeleteAsync(conversation, CancellationToken.None);
        }
    }

    /// <summary>What went, and whom it waits for.</summary>
    private async Task<(ErasedCaches Caches, string? WaitsFor)> EraseCachesAsync()
    {
        var workers = surroundings.Workers.Where(worker => !_cleared.Contains(worker)).ToArray();
        var answers = await Task.WhenAll(workers.Select(TryEraseAsync));
        var (caches, waitsFor) = (default(ErasedCaches), (string?)null);
        foreach (var (worker, answer) in workers.Zip(answers))
        {
            if (answer is { } erased)
            {
                caches += erased;
                _cleared.Add(worker);
            }
            else if (surroundings.Lives(worker))
            {
                waitsFor = $"worker {worker}, where requests or a trainer of the tenant still end, or which does not answer";
            }
        }

        return (caches, waitsFor);
    }

    private async Task<ErasedCaches?> TryEraseAsync(WorkerKey worker)
    {
        try
        {
            return await surroundings.Worker(worker).EraseAsync(tenant, CancellationToken.None);
        }
        catch (Exception fault)
        {
            LogNotReached(tenant, worker.ToString(), fault.Message);
            return null;
        }
    }

    [LoggerMessage(LogLevel.Warning, "The erasure of {Tenant} did not reach {Whom}: {Reason}")]
    private partial void LogNotReached(TenantId tenant, string whom, string reason);
}
