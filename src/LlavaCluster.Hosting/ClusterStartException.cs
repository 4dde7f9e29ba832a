namespace LlavaCluster.Hosting;

/// <summary>The process cannot join its cluster for a reason the operator can mend; the message says which.</summary>
public sealed class ClusterStartException(string message, Exception? inner = null) : Exception(message, inner);
