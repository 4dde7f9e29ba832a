using LlavaCluster.Abstractions.Identity;
using Orleans.Runtime;
using Orleans.Runtime.MembershipService.SiloMetadata;

namespace LlavaCluster.Hosting.Operations;

/// <summary>The active silos of the cluster by their roles, as this one knows them now. One whose role is not known yet counts as having either.</summary>
public sealed class ClusterSilos(IClusterMembershipService membership, ISiloMetadataCache metadata)
{
    /// <summary>Those with fronts' agents.</summary>
    public IEnumerable<SiloAddress> Fronts => Active(ClusterRole.Front).Select(member => member.SiloAddress);

    /// <summary>Those with a device.</summary>
    public IEnumerable<WorkerKey> Workers => Active(ClusterRole.Worker).Select(member => new WorkerKey(member.Name, 0));

    /// <summary>Whether a silo of a name is not dead; it may be about to stop.</summary>
    public bool Lives(string name) => membership.CurrentSnapshot.Members.Values.Any(member => member.Name == name && member.Status != SiloStatus.Dead);

    private IEnumerable<ClusterMember> Active(ClusterRole role) => membership.CurrentSnapshot.Members.Values
        .Where(member => member.Status == SiloStatus.Active)
        .Where(member => !metadata.GetSiloMetadata(member.SiloAddress).Metadata.TryGetValue(ClusterHostingExtensions.RoleMetadata, out var text)
            || !Enum.TryParse<ClusterRole>(text, out var known) || known.HasFlag(role));
}
