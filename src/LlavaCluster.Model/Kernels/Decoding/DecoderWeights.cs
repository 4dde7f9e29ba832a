using LlavaCluster.Model.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Kernels.Decoding;

/// <summary>
/// A language model's weights as the kernels read them: matrices where they lie (the mapped file), norms widened to float32. The network must outlive this.
/// </summary>
internal sealed unsafe class DecoderWeights<T> : IDisposable
    where T : unmanaged
{
    private readonly List<NativeBuffer<float>> _norms = [];
    private readonly Dictionary<string, Tensor> _tensors;

    public DecoderWeights(LlavaNetwork network)
    {
        _tensors = network.named_parameters().ToDictionary(entry => entry.name, entry => (Tensor)entry.parameter, StringComparer.Ordinal);
        var text = network.Config.Text;
        Embedding = Matrix("language_model.embed_tokens.weight");
        Head = text.TieWordEmbeddings ? Embedding : Matrix("lm_head.weight");
        FinalNorm = Norm("language_model.norm.weight");
        Layers = [.. Enumerable.Range(0, text.Layers).Select(layer => Layer($"language_model.layers.{layer}."))];
    }

    public Matrix<T> Embedding { get; }

    public Matrix<T> Head { get; }

    public nint FinalNorm { get; }

    public IReadOnlyList<DecoderLayerWeights<T>> Layers { get; }

    public void Dispose() => _norms.ForEach(norm => norm.Dispose());

    private DecoderLayerWeights<T> Layer(string prefix) => new(
        Norm(prefix + "input_layernorm.weight"), Matrix(prefix + "self_attn.q_proj.weight"), Matrix(prefix + "self_attn.k_proj.weight"), Matrix(prefix + "self_attn.v_proj.weight"),
        Matrix(prefix + "self_attn.o_proj.weight"), Norm(prefix + "post_attention_layernorm.weight"), Matrix(prefix + "mlp.gate_proj.weight"), Matrix(prefix + "mlp.up_proj.weight"),
        Matrix(prefix + "mlp.down_proj.weight"));

    private Matrix<T> Matrix(string name)
    {
        var tensor = _tensors[name];
        return new((nint)TensorMemory.Address(tensor), (int)tensor.shape[0], (int)tensor.shape[1]);
    }

    private nint Norm(string name)
    {
        using var wide = _tensors[name].to(ScalarType.Float32);
        var norm = new NativeBuffer<float>(wide.numel());
        _norms.Add(norm);
        var source = (float*)TensorMemory.Address(wide);
        new ReadOnlySpan<float>(source, (int)norm.Count).CopyTo(new Span<float>(norm.Pointer, (int)norm.Count));
        return (nint)norm.Pointer;
    }
}

/// <summary>[Outputs, Inputs], row by row, in memory that belongs to a tensor.</summary>
internal readonly unsafe record struct Matrix<T>(nint Address, int Outputs, int Inputs)
    where T : unmanaged
{
    public T* Row(int output) => (T*)Address + ((nint)output * Inputs);
}

/// <summary>One decoder layer; the norms are float32.</summary>
internal sealed record DecoderLayerWeights<T>(
    nint AttentionNorm, Matrix<T> Query, Matrix<T> Key, Matrix<T> Value, Matrix<T> Output, nint MlpNorm, Matrix<T> Gate, Matrix<T> Up, Matrix<T> Down)
    where T : unmanaged;
