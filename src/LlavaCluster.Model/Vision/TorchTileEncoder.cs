using LlavaCluster.Model.Adapters;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Vision;

/// <summary>Tower and projector with libtorch's operators: on a GPU, for shapes our kernels do not take, and the reference they are compared with.</summary>
internal sealed class TorchTileEncoder(LlavaNetwork network) : ITileEncoder
{
    public int Stages => Math.Max(1, network.VisionDepth);

    public ITileEncoding Begin(Tensor pixels, LoraAdapter? adapter = null)
    {
        using var scope = NewDisposeScope();
        return network.BeginTiles(OnDevice(pixels), adapter);
    }

    public void Dispose()
    {
        // The network belongs to others.
    }

    // Through pinned memory to a GPU, so that nobody waits: libtorch keeps the memory until the copy is done.
    private Tensor OnDevice(Tensor pixels) => pixels.device_type == DeviceType.CPU && network.Device.type == DeviceType.CUDA
        ? pixels.pin_memory().to(network.Device, non_blocking: true)
        : pixels.to(network.Device);
}
