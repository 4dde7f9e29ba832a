using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Kernels.Threading;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Kernels.Decoding;

/// <summary>Makes the decoder that fits a network.</summary>
public static class PagedDecoder
{
    /// <summary>Whether our kernels can run this network: bfloat16 or float32 on the CPU, no biases, and axes that are multiples of their blocks.</summary>
    public static bool FitsCpu(LlavaNetwork network)
    {
        var text = network.Config.Text;
        int queries = text.Heads * text.HeadDim, keys = text.KvHeads * text.HeadDim;
        (int Inputs, int Outputs)[] products =
            [(text.Hidden, queries), (text.Hidden, keys), (queries, text.Hidden), (text.Hidden, text.Intermediate), (text.Intermediate, text.Hidden), (text.Hidden, text.VocabSize)];
        return network.Device.type == DeviceType.CPU && network.Dtype is ScalarType.BFloat16 or ScalarType.Float32 && !text.AttentionBias && !text.MlpBias
            && text.HeadDim % ProductKernel.InputMultiple == 0 && text.Heads % text.KvHeads == 0 && products.All(product => ProductKernel.Supports(product.Inputs, product.Outputs));
    }

    /// <param name="network">One that <see cref="FitsCpu"/>; it and the cache must outlive the decoder.</param>
    /// <param name="team">The threads that compute; the caller owns it.</param>
    /// <param name="mostTokens">Of one batch.</param>
    /// <param name="mostSampled">Rows of one batch whose logits are asked for.</param>
    /// <exception cref="NotSupportedException">The network does not fit.</exception>
    public static IPagedDecoder ForCpu(LlavaNetwork network, KvCache cache, KernelTeam team, int mostTokens, int mostSampled)
    {
        if (!FitsCpu(network))
        {
            throw new NotSupportedException("The kernels need bfloat16 or float32 weights on the CPU without biases, and axes that are multiples of 32.");
        }

        return network.Dtype == ScalarType.BFloat16
            ? new CpuDecoder<BFloat16Element, ushort>(network, cache, team, mostTokens, mostSampled)
            : new CpuDecoder<Float32Element, float>(network, cache, team, mostTokens, mostSampled);
    }
}
