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

    /// <summary>Whether pictures have other features with it than with the base: it changes the vision tower or the projector.</summary>
    public bool ChangesFeatures => Modules.Keys.Concat(Replaced.Keys).Any(IsOfFeatures);

    /// <summary>Whether a module or tensor is of the vision tower or the projector.</summary>
    public static bool IsOfFeatures(string name) =>
        name.StartsWith(TensorNames.VisionTower + ".", StringComparison.Ordinal) || name.StartsWith(TensorNames.Projector + ".", StringComparison.Ordinal);

    /// <summary>Bytes of the tensors that make picture features, in a type of so many bytes a number.</summary>
    public long FeatureBytes(int elementSize) => elementSize * Numbers(IsOfFeatures);

    /// <summary>Bytes of the other tensors.</summary>
    public long LanguageBytes(int elementSize) => elementSize * Numbers(name => !IsOfFeatures(name));

    public void Dispose()
    {
        foreach (var tensor in Modules.Values.SelectMany(factors => new[] { factors.A, factors.B }).Concat(Replaced.Values))
        {
            tensor.Dispose();
        }
    }

    private long Numbers(Func<string, bool> covers) => Modules.Where(module => covers(module.Key)).SelectMany(module => new[] { module.Value.A, module.Value.B })
        .Concat(Replaced.Where(tensor => covers(tensor.Key)).Select(tensor => tensor.Value)).Sum(tensor => tensor.numel());
}

/// <summary>The two factors of one module.</summary>
/// <param name="A">[rank, in].</param>
/// <param name="B">[out, rank].</param>
/// <param name="Scale">What the product is multiplied with: alpha / rank, or alpha / sqrt(rank) with rslora.</param>
public sealed record LoraFactors(Tensor A, Tensor B, double Scale);
