namespace LlavaCluster.Hosting.Operations;

/// <summary>Something whose running work a stopping process waits for while it is still a full member of the cluster.</summary>
public interface IDrain
{
    /// <summary>Takes no new work and completes when none is left.</summary>
    Task DrainAsync(CancellationToken cancellationToken);
}
