using TorchSharp;

namespace LlavaCluster.Worker.Serving;

/// <summary>What a worker serves and with how much memory.</summary>
public sealed class WorkerOptions
{
    /// <summary>The model folder.</summary>
    public required string ModelFolder { get; init; }

    /// <summary>The name clients ask for; null takes the folder's.</summary>
    public string? ModelName { get; init; }

    /// <summary>The folder of the CLIP tower, for checkpoints of the original layout that do not hold one.</summary>
    public string? VisionTower { get; init; }

    /// <summary>The type to compute in; null lets the checkpoint decide (LlavaModel.Load).</summary>
    public torch.ScalarType? Precision { get; init; }

    /// <summary>A conversation template's name; null lets the model decide.</summary>
    public string? Template { get; init; }

    /// <summary>Memory of the KV cache in bytes. Default: 1 GiB, or one full context where that is more.</summary>
    public long KvBytes { get; init; } = 1L << 30;

    /// <summary>Threads that compute. Default: every processor.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>How often fronts are told of this worker's load. Default: 300 ms.</summary>
    public TimeSpan ReportEvery { get; init; } = TimeSpan.FromMilliseconds(300);
}
