namespace LlavaCluster.Hosting.Operations;

/// <summary>Work that goes on while its silo is a full member of the cluster, to the end of its drain.</summary>
public interface ISiloLoop
{
    /// <summary>Runs until it is cancelled, by throwing or not. If it throws before that it is run anew.</summary>
    Task RunAsync(CancellationToken cancellationToken);
}
