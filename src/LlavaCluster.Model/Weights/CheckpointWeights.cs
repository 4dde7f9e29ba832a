using LlavaCluster.Model.Layers;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Weights;

/// <summary>
/// A checkpoint's tensors in the dtype and on the device of the network. Where both are as stored nothing is copied: the network then computes on the mapped
/// file itself, so the checkpoint must outlive it.
/// </summary>
internal sealed class CheckpointWeights(Checkpoint checkpoint, ScalarType dtype, Device device) : IWeightSource
{
    public Tensor Take(string name, params long[] shape)
    {
        var stored = checkpoint.Take(name, shape);
        if (stored.dtype == dtype && device.type == TorchSharp.DeviceType.CPU)
        {
            return stored;
        }

        using (stored)
        {
            return stored.to(dtype, device);
        }
    }
}
