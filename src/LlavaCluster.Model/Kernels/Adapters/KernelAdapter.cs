using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Weights;

namespace LlavaCluster.Model.Kernels.Adapters;

/// <summary>An adapter of the language model as our kernels compute with it. Immutable; owns its memory.</summary>
internal sealed class KernelAdapter : IDecoderAdapter
{
    private static readonly string[][] LayerProjections = [["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"], ["self_attn.o_proj"], ["mlp.gate_proj", "mlp.up_proj"], ["mlp.down_proj"]];

    private readonly LowRank?[] _products; // [layers, 4], then the head's

    /// <summary>Copies the factors; what concerns tower and projector is left out.</summary>
    /// <param name="format">Of the factors.</param>
    public KernelAdapter(LoraWeights weights, TextConfig text, WeightFormat format)
    {
        Format = format;
        int[] inputs = [text.Hidden, text.Heads * text.HeadDim, text.Hidden, text.Intermediate];
        _products = new LowRank?[(text.Layers * LayerProjections.Length) + 1];
        for (var i = 0; i < _products.Length - 1; i++)
        {
            var (layer, product) = Math.DivRem(i, LayerProjections.Length);
            _products[i] = Of([.. LayerProjections[product].Select(name => $"language_model.layers.{layer}.{name}")], inputs[product]);
        }

        _products[^1] = Of(["lm_head"], text.Hidden);
        Bytes = _products.Sum(product => product?.Bytes ?? 0);
        Widest = _products.Max(product => product?.Width ?? 0);

        LowRank? Of(string[] names, int width)
        {
            var members = names.Select(weights.Modules.GetValueOrDefault).ToArray();
            return Array.TrueForAll(members, member => member is null) ? null : new LowRank(members, format, width);
        }
    }

    public WeightFormat Format { get; }

    public long Bytes { get; }

    /// <summary>Floats of a row between two products, at most.</summary>
    public int Widest { get; }

    public bool HasHead => _products[^1] is not null;

    /// <summary>What it adds; null for nothing.</summary>
    /// <param name="layer">Of no account for the head.</param>
    public LowRank? Of(int layer, AdaptedProduct product) => _products[product == AdaptedProduct.Head ? _products.Length - 1 : (layer * LayerProjections.Length) + (int)product];

    public void Dispose()
    {
        foreach (var product in _products)
        {
            product?.Dispose();
        }
    }
}
