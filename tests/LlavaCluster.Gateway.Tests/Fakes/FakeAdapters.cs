using System.Collections.Immutable;
using LlavaCluster.Abstractions.Adapters;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Gateway.Tests.Fakes;

/// <summary>A tenant's adapters in memory. Traffic only goes on trial, and back from it.</summary>
internal sealed class FakeAdapters : IAdaptersGrain
{
    private ImmutableSortedDictionary<string, AdapterInfo> _adapters = ImmutableSortedDictionary<string, AdapterInfo>.Empty;

    public Task<AdapterAnswer> PublishAsync(string name, AdapterVersion version, double? share, CancellationToken cancellationToken)
    {
        _adapters = _adapters.SetItem(
            name, _adapters.TryGetValue(name, out var known) ? known with { Versions = known.Versions.Insert(0, version) } : new AdapterInfo(name, version.Model, version.Object, null, 0, [version]));
        return Task.FromResult(new AdapterAnswer(_adapters[name], null));
    }

    public Task<ObjectId?> ResolveAsync(string model, string name, string affinityKey, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<ImmutableArray<AdapterInfo>> ListAsync(CancellationToken cancellationToken) => Task.FromResult(_adapters.Values.ToImmutableArray());

    public Task<AdapterAnswer> RouteAsync(string name, ObjectId version, double share, CancellationToken cancellationToken) => ChangeAsync(name, known => known with { OnTrial = version, TrialShare = share });

    public Task<AdapterAnswer> RollBackAsync(string name, CancellationToken cancellationToken) => ChangeAsync(name, known => known with { OnTrial = null, TrialShare = 0 });

    public Task<bool> RemoveAsync(string name, CancellationToken cancellationToken)
    {
        var known = _adapters.ContainsKey(name);
        _adapters = _adapters.Remove(name);
        return Task.FromResult(known);
    }

    public Task EraseAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    private Task<AdapterAnswer> ChangeAsync(string name, Func<AdapterInfo, AdapterInfo> change)
    {
        _adapters = _adapters.SetItem(name, change(_adapters[name]));
        return Task.FromResult(new AdapterAnswer(_adapters[name], null));
    }
}
