using static TorchSharp.torch;

namespace LlavaCluster.Model.Vision;

/// <summary>Tower and projector with libtorch's operators: on a GPU, for shapes our kernels do not take, and the reference they are compared with.</summary>
internal sealed class TorchTileEncoder(LlavaNetwork network) : ITileEncoder
{
    public int Stages => Math.Max(1, network.VisionDepth);

    public ITileEncoding Begin(Tensor pixels) => network.BeginTiles(pixels);

    public void Dispose()
    {
        // The network belongs to others.
    }
}
