using static TorchSharp.torch;

namespace LlavaCluster.Model.Weights;

/// <summary>
/// The tensors of a LoRA adapter by our names: y = W x + scale * B (A x) for each module, and full tensors that replace the base's (a fine-tuned projector).
/// Owns its tensors, which are copies on the CPU in the stored type.
/// </summary>
public sealed class LoraWeights : IDisposable
{
    public LoraWeights(IReadOnlyDictionary<string, LoraFactors> modules, IReadOnlyDictionary<string, Tensor> replaced, string? baseModel = null)
    {
        Modules = modules;
        Replaced = replaced;
        BaseModel = baseModel;
    }

    /// <summary>By module, for example <c>language_model.layers.0.self_attn.q_proj</c>.</summary>
    public IReadOnlyDictionary<string, LoraFactors> Modules { get; }

    /// <summary>By tensor, for example <c>multi_modal_projector.linear_1.weight</c>.</summary>
    public IReadOnlyDictionary<string, Tensor> Replaced { get; }

    /// <summary>The base the adapter says it was trained on; nobody checks it, shapes are what is checked.</summary>
    public string? BaseModel { get; }

    public void Dispose()
    {
        foreach (var tensor in Modules.Values.SelectMany(factors => new[] { factors.A, factors.B }).Concat(Replaced.Values))
        {
            tensor.Dispose();
        }
    }
}

/// <summary>The two factors of one module.</summary>
/// <param name="A">[rank, in].</param>
/// <param name="B">[out, rank].</param>
/// <param name="Scale">What the product is multiplied with: alpha / rank, or alpha / sqrt(rank) with rslora.</param>
public sealed record LoraFactors(Tensor A, Tensor B, double Scale);
