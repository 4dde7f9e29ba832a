using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Workers;

namespace LlavaCluster.Abstractions.Tenants;

/// <summary>The erasure of a tenant, keyed by the tenant's name: removes everything there is of it, on every front and worker and in the stores. Every call may be repeated.</summary>
[Alias("llava.tenant-erasure")]
public interface ITenantErasureGrain : ITenantScopedGrain
{
    /// <summary>Begins an erasure, which goes on by itself whatever becomes of the caller or of this front.</summary>
    /// <param name="id">Names it: repeated after it has ended, the call tells how it ended and begins no other. While one goes on any call tells of that one.</param>
    [Alias("begin")]
    Task<TenantErasure> BeginAsync(Guid id, CancellationToken cancellationToken);

    /// <summary>Lets an erasure that has not ended go on here, where it goes on nowhere. For the keeper, which calls it now and then.</summary>
    [Alias("wake")]
    Task WakeAsync(CancellationToken cancellationToken);
}

/// <summary>How far an erasure is, and what it found.</summary>
[GenerateSerializer, Immutable, Alias("llava.erasure")]
public sealed record TenantErasure
{
    [Id(0)]
    public required Guid Id { get; init; }

    [Id(1)]
    public required DateTimeOffset BegunAt { get; init; }

    [Id(2)]
    public DateTimeOffset? FinishedAt { get; init; }

    /// <summary>What there was in the stores when nobody could add to it any more; null until then.</summary>
    [Id(3)]
    public TenantContents? Found { get; init; }

    /// <summary>What the workers let go of. What went between two reports of a front that was killed is not in it.</summary>
    [Id(4)]
    public ErasedCaches Caches { get; init; }

    /// <summary>What it waits for, for people; null where nothing holds it up.</summary>
    [Id(5)]
    public string? WaitsFor { get; init; }
}

/// <summary>How much the stores hold of a tenant.</summary>
/// <param name="Adapters">Versions of all names.</param>
/// <param name="Objects">Pictures, files, adapters and checkpoints.</param>
[GenerateSerializer, Immutable, Alias("llava.tenant-contents")]
public readonly record struct TenantContents(
    [property: Id(0)] int Keys,
    [property: Id(1)] int Jobs,
    [property: Id(2)] int Conversations,
    [property: Id(3)] int Adapters,
    [property: Id(4)] int Files,
    [property: Id(5)] long Objects,
    [property: Id(6)] long Bytes);
