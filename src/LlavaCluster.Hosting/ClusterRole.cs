namespace LlavaCluster.Hosting;

/// <summary>What a process is in the cluster. A front has the gateway and the stateful grains, a worker the devices.</summary>
[Flags]
public enum ClusterRole
{
    Front = 1,
    Worker = 2,
    All = Front | Worker,
}
