using LlavaCluster.Model.Kernels;
using LlavaCluster.Model.Kernels.Encoding;
using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Kernels.Threading;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Vision;

/// <summary>Makes the encoder that fits a network.</summary>
public static class TileEncoder
{
    /// <summary>Our kernels where they fit and this processor has machine code for them, libtorch otherwise: without it libtorch is faster.</summary>
    /// <param name="network">It must outlive the encoder.</param>
    /// <param name="team">The threads that compute on a CPU; the caller owns it.</param>
    public static ITileEncoder For(LlavaNetwork network, KernelTeam team) => network.Device.type == DeviceType.CPU && Fits(network) ? (network.Dtype switch
    {
        ScalarType.BFloat16 when ProductKernel.HasMachine(WeightFormat.BFloat16) => new CpuTileEncoder<BFloat16Element, ushort>(network, team, WeightFormat.BFloat16),
        ScalarType.Float32 when ProductKernel.HasMachine(WeightFormat.Float32) => new CpuTileEncoder<Float32Element, float>(network, team, WeightFormat.Float32),
        _ => new TorchTileEncoder(network),
    }) : new TorchTileEncoder(network);

    /// <summary>Whether the axes are multiples of our kernels' blocks.</summary>
    internal static bool Fits(LlavaNetwork network)
    {
        var (vision, text) = (network.Config.Vision, network.Config.Text);
        int[] inputs = [vision.Hidden / vision.Heads, vision.Hidden, vision.Intermediate, text.Hidden];
        return inputs.All(count => count % ProductKernel.InputMultiple == 0);
    }
}
