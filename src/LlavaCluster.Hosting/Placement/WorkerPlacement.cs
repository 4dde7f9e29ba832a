using LlavaCluster.Abstractions.Identity;
using Orleans;
using Orleans.Placement;
using Orleans.Runtime;
using Orleans.Runtime.Placement;

namespace LlavaCluster.Hosting.Placement;

/// <summary>Places a worker's grain in the silo that its key names, and nowhere else: a device is a place.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class WorkerPlacementAttribute() : PlacementAttribute(new WorkerPlacement());

[GenerateSerializer, Immutable, SuppressReferenceTracking, Alias("llava.worker-placement")]
public sealed class WorkerPlacement : PlacementStrategy;

internal sealed class WorkerPlacementDirector(IClusterMembershipService membership) : IPlacementDirector
{
    public Task<SiloAddress> OnAddActivation(PlacementStrategy strategy, PlacementTarget target, IPlacementContext context)
    {
        var name = WorkerKey.Parse(target.GrainIdentity.Key.ToString()!).Silo;
        var members = membership.CurrentSnapshot.Members;
        var silo = context.GetCompatibleSilos(target).FirstOrDefault(address => members.TryGetValue(address, out var member) && member.Name == name);
        return silo is not null ? Task.FromResult(silo) : throw new OrleansException($"No active worker silo is named \"{name}\".");
    }
}
