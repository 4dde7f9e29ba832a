using Orleans.Services;

namespace LlavaCluster.Abstractions.Workers;

/// <summary>One in every silo. Workers push their load through it to every silo; a front keeps what arrives in its worker table.</summary>
[Alias("llava.worker-agent")]
public interface IWorkerAgent : IGrainService
{
    /// <param name="epoch">Grows with every report of a worker's process; an older one is dropped.</param>
    [Alias("report")]
    Task ReportAsync(WorkerLoad load, long epoch);
}
