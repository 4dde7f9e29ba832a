using System.Collections.Immutable;
using LlavaCluster.Abstractions.Adapters;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Storage;
using LlavaCluster.Storage.Adapters;
using LlavaCluster.Storage.Objects;

namespace LlavaCluster.Grains.Adapters;

/// <summary>A tenant's adapters: the order of their changes, and their store.</summary>
internal sealed class AdaptersGrain(IAdapterStore store, IObjectStore objects) : Grain, IAdaptersGrain
{
    private TenantId _tenant;
    private AdapterRecord _record = null!;

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _tenant = TenantId.Parse(this.GetPrimaryKeyString());
        _record = await store.ReadAsync(_tenant, cancellationToken);
    }

    public Task<AdapterAnswer> PublishAsync(string name, AdapterVersion version, double? share, CancellationToken cancellationToken) =>
        ChangeAsync(name, AdapterShelf.Publish(_record, name, version, share), cancellationToken);

    public Task<ObjectId?> ResolveAsync(string model, string name, string affinityKey, CancellationToken cancellationToken) =>
        Task.FromResult(AdapterShelf.Resolve(_record, model, name, affinityKey));

    public Task<ImmutableArray<AdapterInfo>> ListAsync(CancellationToken cancellationToken) =>
        Task.FromResult(_record.Adapters.Select(adapter => adapter.Info).OrderBy(info => info.Name, StringComparer.Ordinal).ToImmutableArray());

    public Task<AdapterAnswer> RouteAsync(string name, ObjectId version, double share, CancellationToken cancellationToken) =>
        ChangeAsync(name, AdapterShelf.Route(_record, name, version, share), cancellationToken);

    public Task<AdapterAnswer> RollBackAsync(string name, CancellationToken cancellationToken) => ChangeAsync(name, AdapterShelf.RollBack(_record, name), cancellationToken);

    public async Task<bool> RemoveAsync(string name, CancellationToken cancellationToken)
    {
        var (next, orphans) = AdapterShelf.Remove(_record, name);
        if (next == _record)
        {
            return false;
        }

        if (await WriteAsync(next, cancellationToken) is { } fault)
        {
            throw new OrleansException($"The adapters of tenant {_tenant} were not written: {fault}.");
        }

        // Nobody can ask for them any more; those who do so now have them in their worker's memory.
        foreach (var orphan in orphans)
        {
            await objects.DeleteAsync(_tenant, orphan, cancellationToken);
        }

        return true;
    }

    public async Task EraseAsync(CancellationToken cancellationToken)
    {
        await store.DeleteAsync(_tenant, cancellationToken);
        _record = new AdapterRecord(0, []);
    }

    private async Task<AdapterAnswer> ChangeAsync(string name, (AdapterRecord Record, ChatFailure? Failure) change, CancellationToken cancellationToken)
    {
        var failure = change.Failure;
        if (failure is null && change.Record != _record && await WriteAsync(change.Record, cancellationToken) is { } fault)
        {
            failure = fault == StorageFault.Full
                ? new ChatFailure(ChatFailureKind.StorageFull, "The store is full; the adapters are as they were.")
                : throw new OrleansException($"The adapters of tenant {_tenant} were not written: {fault}.");
        }

        return new AdapterAnswer(failure is null ? AdapterShelf.Find(_record, name)?.Info : null, failure);
    }

    /// <summary>After a conflict memory and store differ, so the grain starts anew from the store.</summary>
    private async Task<StorageFault?> WriteAsync(AdapterRecord next, CancellationToken cancellationToken)
    {
        var fault = await store.WriteAsync(_tenant, next, cancellationToken);
        if (fault == StorageFault.Conflict)
        {
            DeactivateOnIdle();
        }

        _record = fault is null ? next with { Version = next.Version + 1 } : _record;
        return fault;
    }
}
