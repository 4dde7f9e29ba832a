using System.Collections.Immutable;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Abstractions.Adapters;

/// <summary>
/// A tenant's adapters, keyed by the tenant's name. A name has versions, each an object; requests for <c>base:name</c> are answered by its version in use, or for a share of the conversations by
/// the version on trial. A turn keeps the version that it began with.
/// </summary>
[Alias("llava.adapters")]
public interface IAdaptersGrain : ITenantScopedGrain
{
    /// <summary>Adds a version and gives it a share of the name's traffic; the first version of a name gets it all. Publishing a version again changes nothing but its share.</summary>
    /// <param name="share">0 to 1; null leaves the traffic as it is.</param>
    [Alias("publish")]
    Task<AdapterAnswer> PublishAsync(string name, AdapterVersion version, double? share, CancellationToken cancellationToken);

    /// <summary>The version that answers a conversation; null where the tenant has no adapter of the name for the base.</summary>
    /// <param name="affinityKey">Of the conversation: while shares stay as they are it meets the same version.</param>
    [Alias("resolve")]
    Task<ObjectId?> ResolveAsync(string model, string name, string affinityKey, CancellationToken cancellationToken);

    [Alias("list")]
    Task<ImmutableArray<AdapterInfo>> ListAsync(CancellationToken cancellationToken);

    /// <summary>Gives a version a share of the name's traffic: 1 puts it in use, less puts it on trial beside the version in use, 0 ends its trial.</summary>
    [Alias("route")]
    Task<AdapterAnswer> RouteAsync(string name, ObjectId version, double share, CancellationToken cancellationToken);

    /// <summary>Takes the traffic back to where it was before the last change of it. Repeated, further back.</summary>
    [Alias("roll-back")]
    Task<AdapterAnswer> RollBackAsync(string name, CancellationToken cancellationToken);

    /// <summary>Removes a name with its versions; the objects no other name has are deleted.</summary>
    [Alias("remove")]
    Task<bool> RemoveAsync(string name, CancellationToken cancellationToken);

    /// <summary>Forgets all names; their objects stay.</summary>
    [Alias("erase")]
    Task EraseAsync(CancellationToken cancellationToken);
}

/// <summary>An adapter's name and what answers to it.</summary>
/// <param name="Model">The base of all versions.</param>
/// <param name="InUse">The version that answers.</param>
/// <param name="OnTrial">The version that answers <paramref name="TrialShare"/> of the conversations.</param>
/// <param name="Versions">The latest first.</param>
[GenerateSerializer, Immutable, Alias("llava.adapter-info")]
public sealed record AdapterInfo(
    [property: Id(0)] string Name,
    [property: Id(1)] string Model,
    [property: Id(2)] ObjectId InUse,
    [property: Id(3)] ObjectId? OnTrial,
    [property: Id(4)] double TrialShare,
    [property: Id(5)] ImmutableArray<AdapterVersion> Versions);

/// <param name="Object">The adapter's file.</param>
/// <param name="Model">Its base.</param>
/// <param name="Job">What made it; null for one that was brought.</param>
/// <param name="BaseLoss">On what the job kept out; NaN where nothing was.</param>
[GenerateSerializer, Immutable, Alias("llava.adapter-version")]
public sealed record AdapterVersion(
    [property: Id(0)] ObjectId Object,
    [property: Id(1)] string Model,
    [property: Id(2)] DateTimeOffset CreatedAt,
    [property: Id(3)] long Bytes,
    [property: Id(4)] string? Job,
    [property: Id(5)] double BaseLoss,
    [property: Id(6)] double AdapterLoss);

[GenerateSerializer, Immutable, Alias("llava.adapter-answer")]
public sealed record AdapterAnswer([property: Id(0)] AdapterInfo? Adapter, [property: Id(1)] ChatFailure? Failure);
