using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Model;

/// <summary>A checkpoint and the network on it, loaded together and disposed together. Load and dispose on the thread that owns the device.</summary>
public sealed class LlavaModel : IDisposable
{
    private readonly Checkpoint _checkpoint;

    private LlavaModel(Checkpoint checkpoint, LlavaNetwork network)
    {
        _checkpoint = checkpoint;
        Network = network;
    }

    public LlavaNetwork Network { get; }

    public LlavaConfig Config => _checkpoint.Config;

    /// <summary>Loads a model folder (<see cref="CheckpointReader"/> names the layouts). Where the stored type is the type asked for, the weights stay in the mapped file.</summary>
    /// <param name="dtype">The type to compute in; null picks float32 below <see cref="WidenBelowBytes"/> and the stored type, or bfloat16 for float16 on a CPU, above; bfloat16 beside packed matrices where that is fast, and on a GPU always.</param>
    /// <exception cref="CheckpointException">The folder is not a model, or its tensors are not those of its config.</exception>
    public static LlavaModel Load(string folder, CheckpointOptions? options = null, ScalarType? dtype = null, Device? device = null)
    {
        device ??= CPU;
        var checkpoint = CheckpointReader.Open(folder, options);
        try
        {
            var type = dtype ?? DefaultType(checkpoint, device);
            return new LlavaModel(checkpoint, new LlavaNetwork(checkpoint.Config, new CheckpointWeights(checkpoint, type, device), type, device, checkpoint.Packed));
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>Smaller checkpoints are computed exactly, in float32, unless the caller says otherwise: 1 GiB.</summary>
    public const long WidenBelowBytes = 1L << 30;

    /// <summary>Whether this processor multiplies bfloat16 with our own machine code.</summary>
    public static bool HasFastBFloat16 => ProductKernel.HasMachine(WeightFormat.BFloat16);

    public void Dispose()
    {
        Network.Dispose();
        _checkpoint.Dispose();
    }

    // A CPU has fast products for bfloat16 but none for float16.
    private static ScalarType DefaultType(Checkpoint checkpoint, Device device) => checkpoint.StoredType switch
    {
        _ when device.type == TorchSharp.DeviceType.CUDA => ScalarType.BFloat16,
        _ when checkpoint.Packed is not null && HasFastBFloat16 && device.type == TorchSharp.DeviceType.CPU => ScalarType.BFloat16,
        _ when checkpoint.Bytes < WidenBelowBytes => ScalarType.Float32,
        ScalarType.Float16 when device.type == TorchSharp.DeviceType.CPU => ScalarType.BFloat16,
        var stored => stored,
    };
}
