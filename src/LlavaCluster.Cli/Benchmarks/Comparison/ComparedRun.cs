using LlavaCluster.Cli.Benchmarks.Load;

namespace LlavaCluster.Cli.Benchmarks.Comparison;

/// <summary>One server's turn in a comparison.</summary>
/// <param name="Bandwidth">Bytes a second that this machine read, probed before and after: their mean.</param>
/// <param name="ReadySeconds">From its start until it named its models.</param>
/// <param name="PeakMemory">Bytes; null where the system does not tell.</param>
internal sealed record ComparedRun(LoadReport Report, double Bandwidth, double ReadySeconds, long? PeakMemory);
