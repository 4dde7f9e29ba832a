using System.Collections.Concurrent;
using LlavaCluster.Abstractions.Adapters;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Abstractions.Training;
using Orleans;
using Orleans.Runtime;

namespace LlavaCluster.Gateway.Tests.Fakes;

/// <summary>A grain factory of plain objects: one scripted conversation, tenant, job or set of adapters a key.</summary>
internal sealed class FakeGrains(Script script) : IGrainFactory
{
    public ConcurrentDictionary<string, ScriptedConversation> Conversations { get; } = new();

    public ConcurrentDictionary<string, FakeTenant> Tenants { get; } = new();

    public ConcurrentDictionary<string, FakeJob> Jobs { get; } = new();

    public ConcurrentDictionary<string, FakeAdapters> Adapters { get; } = new();

    public TGrainInterface GetGrain<TGrainInterface>(string primaryKey, string? grainClassNamePrefix = null)
        where TGrainInterface : IGrainWithStringKey
    {
        var kind = typeof(TGrainInterface);
        object grain = kind == typeof(IConversationGrain) ? Conversations.GetOrAdd(primaryKey, _ => new ScriptedConversation(primaryKey, script))
            : kind == typeof(ITrainingJobGrain) ? Jobs.GetOrAdd(primaryKey, _ => new FakeJob(primaryKey))
            : kind == typeof(IAdaptersGrain) ? Adapters.GetOrAdd(primaryKey, _ => new FakeAdapters())
            : Tenants.GetOrAdd(primaryKey, tenant => new FakeTenant(tenant));
        return (TGrainInterface)grain;
    }

    public TGrainInterface GetGrain<TGrainInterface>(Guid primaryKey, string? grainClassNamePrefix = null)
        where TGrainInterface : IGrainWithGuidKey => throw new NotSupportedException();

    public TGrainInterface GetGrain<TGrainInterface>(long primaryKey, string? grainClassNamePrefix = null)
        where TGrainInterface : IGrainWithIntegerKey => throw new NotSupportedException();

    public TGrainInterface GetGrain<TGrainInterface>(Guid primaryKey, string keyExtension, string? grainClassNamePrefix = null)
        where TGrainInterface : IGrainWithGuidCompoundKey => throw new NotSupportedException();

    public TGrainInterface GetGrain<TGrainInterface>(long primaryKey, string keyExtension, string? grainClassNamePrefix = null)
        where TGrainInterface : IGrainWithIntegerCompoundKey => throw new NotSupportedException();

    public TGrainObserverInterface CreateObjectReference<TGrainObserverInterface>(IGrainObserver obj)
        where TGrainObserverInterface : IGrainObserver => throw new NotSupportedException();

    public void DeleteObjectReference<TGrainObserverInterface>(IGrainObserver obj)
        where TGrainObserverInterface : IGrainObserver => throw new NotSupportedException();

    public IGrain GetGrain(Type grainInterfaceType, Guid grainPrimaryKey) => throw new NotSupportedException();

    public IGrain GetGrain(Type grainInterfaceType, long grainPrimaryKey) => throw new NotSupportedException();

    public IGrain GetGrain(Type grainInterfaceType, string grainPrimaryKey) => throw new NotSupportedException();

    public IGrain GetGrain(Type grainInterfaceType, Guid grainPrimaryKey, string keyExtension) => throw new NotSupportedException();

    public IGrain GetGrain(Type grainInterfaceType, long grainPrimaryKey, string keyExtension) => throw new NotSupportedException();

    public IAddressable GetGrain(Type interfaceType, IdSpan grainKey) => throw new NotSupportedException();

    public IAddressable GetGrain(Type interfaceType, IdSpan grainKey, string grainClassNamePrefix) => throw new NotSupportedException();

    public TGrainInterface GetGrain<TGrainInterface>(GrainId grainId)
        where TGrainInterface : IAddressable => throw new NotSupportedException();

    public IAddressable GetGrain(GrainId grainId) => throw new NotSupportedException();

    public IAddressable GetGrain(GrainId grainId, GrainInterfaceType interfaceType) => throw new NotSupportedException();
}
