using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Kernels.Threading;
using LlavaCluster.Model.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Kernels.Decoding;

/// <summary>
/// A language model's weights as the kernels read them: matrices where they lie (the mapped file, packed there or not) or packed into memory of our own, norms widened to float32. The network
/// must outlive this.
/// </summary>
internal sealed unsafe class DecoderWeights : IDisposable
{
    private readonly List<IDisposable> _buffers = [];
    private readonly WideVectors _vectors = new();
    private readonly Dictionary<string, Tensor> _tensors;
    private readonly PackedMatrices? _stored;
    private readonly WeightFormat _format;
    private readonly KernelTeam _team;

    /// <param name="network">On the CPU, in bfloat16 or float32.</param>
    /// <param name="format">The network's own, or one of integers.</param>
    /// <param name="team">Packs.</param>
    public DecoderWeights(LlavaNetwork network, WeightFormat format, KernelTeam team)
    {
        (_format, _team, _stored) = (format, team, network.Packed);
        _tensors = network.named_parameters().ToDictionary(entry => entry.name, entry => (Tensor)entry.parameter, StringComparer.Ordinal);
        var text = network.Config.Text;
        const string embedding = "language_model.embed_tokens.weight";
        Embedding = (nint)TensorMemory.Address(_tensors[embedding]);
        Head = Matrix(text.TieWordEmbeddings ? embedding : "lm_head.weight");
        FinalNorm = Norm("language_model.norm.weight");
        Layers = [.. Enumerable.Range(0, text.Layers).Select(layer => Layer($"language_model.layers.{layer}."))];
    }

    /// <summary>[vocab, hidden] in the network's type.</summary>
    public nint Embedding { get; }

    public Matrix Head { get; }

    public nint FinalNorm { get; }

    public IReadOnlyList<DecoderLayerWeights> Layers { get; }

    public void Dispose()
    {
        _buffers.ForEach(buffer => buffer.Dispose());
        _vectors.Dispose();
    }

    private DecoderLayerWeights Layer(string prefix) => new(
        Norm(prefix + "input_layernorm.weight"), Matrix(prefix + "self_attn.q_proj.weight"), Matrix(prefix + "self_attn.k_proj.weight"), Matrix(prefix + "self_attn.v_proj.weight"),
        Matrix(prefix + "self_attn.o_proj.weight"), Norm(prefix + "post_attention_layernorm.weight"), Matrix(prefix + "mlp.gate_proj.weight"), Matrix(prefix + "mlp.up_proj.weight"),
        Matrix(prefix + "mlp.down_proj.weight"));

    private Matrix Matrix(string name)
    {
        var tensor = _tensors[name];
        var kernel = ProductKernel.For(_format, (int)tensor.shape[1]);
        var address = _stored?.Find(name) ?? (ProductKernel.IsInteger(_format) ? Pack(tensor, kernel) : (nint)TensorMemory.Address(tensor));
        return new(address, (int)tensor.shape[0], kernel);
    }

    private nint Pack(Tensor tensor, IProductKernel kernel)
    {
        var packed = new NativeBuffer<byte>(MatrixPacking.Bytes(_format, tensor.shape[0], kernel.Inputs));
        _buffers.Add(packed);
        MatrixPacking.Pack(tensor, _format, packed.Pointer, _team);
        return (nint)packed.Pointer;
    }

    private nint Norm(string name) => _vectors.Widen(_tensors[name]);
}

/// <summary>One decoder layer; the norms are float32.</summary>
internal sealed record DecoderLayerWeights(
    nint AttentionNorm, Matrix Query, Matrix Key, Matrix Value, Matrix Output, nint MlpNorm, Matrix Gate, Matrix Up, Matrix Down);
