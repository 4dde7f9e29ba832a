using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels.Attention;
using LlavaCluster.Model.Kernels.Operators;
using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Kernels.Threading;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Kernels.Decoding;

/// <summary>Makes the decoder that fits a network.</summary>
public static class PagedDecoder
{
    /// <summary>Whether our kernels can run this network: bfloat16 or float32 on the CPU, no biases, and axes that are multiples of their blocks, as the cache's own.</summary>
    public static bool FitsCpu(LlavaNetwork network, KvCache cache) =>
        network.Device.type == DeviceType.CPU && network.Dtype is ScalarType.BFloat16 or ScalarType.Float32
        && cache.BlockSize == AttentionKernel<Float32Element, float>.BlockSize && WhyNotCpu(network.Config.Text) is null;

    /// <summary>Why our kernels cannot run a language model of this shape; null where they can.</summary>
    public static string? WhyNotCpu(TextConfig text)
    {
        int queries = text.Heads * text.HeadDim, keys = text.KvHeads * text.HeadDim;
        (int Inputs, int Outputs)[] products =
            [(text.Hidden, queries), (text.Hidden, keys), (queries, text.Hidden), (text.Hidden, text.Intermediate), (text.Intermediate, text.Hidden), (text.Hidden, text.VocabSize)];
        return text switch
        {
            { AttentionBias: true } or { MlpBias: true } => "its projections have biases",
            _ when text.HeadDim % ProductKernel.InputMultiple != 0 => $"its heads have {text.HeadDim} numbers, which must be a multiple of {ProductKernel.InputMultiple}",
            _ when text.Heads % text.KvHeads != 0 => $"its {text.Heads} heads do not share {text.KvHeads} keys evenly",
            _ when products.FirstOrDefault(product => !ProductKernel.Supports(product.Inputs, product.Outputs)) is { Inputs: > 0 } odd => $"a matrix of {odd.Outputs} outputs and {odd.Inputs} inputs is no multiple of {ProductKernel.OutputMultiple} and {ProductKernel.InputMultiple}",
            _ => null,
        };
    }

    /// <summary>Whether this processor has machine code for the network's products; what runs without is several times slower.</summary>
    /// <param name="weights">As <see cref="For"/> has it.</param>
    public static bool HasMachineCode(LlavaNetwork network, WeightFormat? weights = null) =>
        network.Dtype is ScalarType.BFloat16 or ScalarType.Float32 && ProductKernel.HasMachine(weights ?? network.Packed?.Format ?? Own(network));

    /// <summary>Our kernels where they fit, libtorch otherwise.</summary>
    /// <param name="network">It and the cache must outlive the decoder.</param>
    /// <param name="team">The threads that compute on a CPU; the caller owns it.</param>
    /// <param name="mostTokens">Of one step.</param>
    /// <param name="weights">What to make of the matrices; null leaves them as they are.</param>
    /// <param name="bans">For a decoder that picks; null bans nothing.</param>
    /// <exception cref="NotSupportedException">Another format than the network's own for a network that our kernels do not take, or one that they do not make; or packed matrices where our kernels do not run.</exception>
    public static IPagedDecoder For(LlavaNetwork network, KvCache cache, KernelTeam team, int mostTokens, WeightFormat? weights = null, TokenBans? bans = null)
    {
        var own = Own(network);
        var format = weights ?? network.Packed?.Format ?? own;
        if (network.Packed is { } packed && (format != packed.Format || !FitsCpu(network, cache)))
        {
            throw new NotSupportedException($"The model's matrices are stored in {packed.Format}, which needs a CPU and KV blocks of {AttentionKernel<Float32Element, float>.BlockSize} tokens; they cannot be served as {format} on {network.Device.type}{(WhyNotCpu(network.Config.Text) is { } reason ? ": " + reason : "")}.");
        }

        if (FitsCpu(network, cache) && (format == own || ProductKernel.IsInteger(format)))
        {
            return own == WeightFormat.BFloat16
                ? new CpuDecoder<BFloat16Element, ushort>(network, cache, team, mostTokens, format)
                : new CpuDecoder<Float32Element, float>(network, cache, team, mostTokens, format);
        }

        return weights is null || (format == own && network.Dtype is ScalarType.BFloat16 or ScalarType.Float32)
            ? new TorchDecoder(network, cache, bans ?? TokenBans.None)
            : throw new NotSupportedException($"{weights} weights cannot be made of this model's {network.Dtype} on {network.Device.type}: they need a CPU, no biases, axes that are multiples of {ProductKernel.InputMultiple}, and KV blocks of {AttentionKernel<Float32Element, float>.BlockSize} tokens.");
    }

    private static WeightFormat Own(LlavaNetwork network) => network.Dtype == ScalarType.BFloat16 ? WeightFormat.BFloat16 : WeightFormat.Float32;
}
