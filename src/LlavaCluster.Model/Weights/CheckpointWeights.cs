using LlavaCluster.Model.Layers;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Weights;

/// <summary>
/// A checkpoint's tensors in the dtype and on the device of the network, row-major, which our kernels take for granted. Where all three are as stored nothing is copied: the
/// network then computes on the mapped file itself, so the checkpoint must outlive it.
/// </summary>
internal sealed class CheckpointWeights(Checkpoint checkpoint, ScalarType dtype, Device device) : IWeightSource
{
    public Tensor Take(string name, params long[] shape)
    {
        if (checkpoint.IsPacked(name))
        {
            // It only holds the parameter's place; nothing may compute with it (LlavaNetwork.Packed).
            using var zero = zeros(1, dtype, device);
            return zero.expand(shape);
        }

        var taken = checkpoint.Take(name, shape);
        if (!taken.is_contiguous())
        {
            taken = InPlaceOf(taken, taken.contiguous());
        }

        return taken.dtype == dtype && device.type == TorchSharp.DeviceType.CPU ? taken : InPlaceOf(taken, taken.to(dtype, device));
    }

    private static Tensor InPlaceOf(Tensor old, Tensor made)
    {
        old.Dispose();
        return made;
    }
}
