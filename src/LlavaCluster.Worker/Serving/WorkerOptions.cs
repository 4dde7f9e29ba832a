using LlavaCluster.Model;
using LlavaCluster.Model.Kernels.Products;
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

    /// <summary>
    /// How the language model's matrices lie in memory, and with float32 and bfloat16 the type of everything else too; null, Q8 and Q4 let the checkpoint decide that
    /// (LlavaModel.Load).
    /// </summary>
    public WeightFormat? Weights { get; init; }

    /// <summary>Where it computes. Default: the CPU.</summary>
    public ComputeDevice Device { get; init; } = ComputeDevice.Cpu;

    internal torch.ScalarType? Precision => Weights switch
    {
        WeightFormat.Float32 => torch.ScalarType.Float32,
        WeightFormat.BFloat16 => torch.ScalarType.BFloat16,
        _ => null,
    };

    /// <summary>A conversation template's name; null lets the model decide.</summary>
    public string? Template { get; init; }

    /// <summary>Memory of the KV cache in bytes. Default: 1 GiB, or one full context where that is more.</summary>
    public long KvBytes { get; init; } = 1L << 30;

    /// <summary>Memory of the LoRA adapters that stay on the device, in bytes. Default: 1 GiB.</summary>
    public long AdapterBytes { get; init; } = 1L << 30;

    /// <summary>Bytes of an adapter's stored object at most. Default: 1 GiB.</summary>
    public long AdapterObjectBytes { get; init; } = 1L << 30;

    /// <summary>Adapters that are read from their stores at the same time. Default: 2.</summary>
    public int AdapterLoads { get; init; } = 2;

    /// <summary>Tokens an answer guesses ahead at most; 0 for none. Default: 8.</summary>
    public int Guesses { get; init; } = 8;

    /// <summary>Threads that compute. Default: every processor.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>Whether it trains adapters of its model when a job asks for it. Default: true.</summary>
    public bool Trains { get; init; } = true;

    /// <summary>Threads that training computes with. Default: every processor.</summary>
    public int TrainingThreads { get; init; } = Environment.ProcessorCount;

    /// <summary>The share of the device's time that training gets while requests keep the engine busy; greater than 0, at most 1. Default: 0.1.</summary>
    public double TrainingShare { get; init; } = 0.1;

    /// <summary>How long a trainer waits for another of its group that says nothing. One that is dead is seen at once, one that hangs is missed by its job; so this must only exceed the time by which the slowest falls behind. Default: 20 minutes.</summary>
    public TimeSpan RingTimeout { get; init; } = TimeSpan.FromMinutes(20);

    /// <summary>How often fronts are told of this worker's load. Default: 300 ms.</summary>
    public TimeSpan ReportEvery { get; init; } = TimeSpan.FromMilliseconds(300);
}
