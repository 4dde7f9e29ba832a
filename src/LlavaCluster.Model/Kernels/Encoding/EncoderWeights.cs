using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Kernels.Encoding;

/// <summary>The tower's blocks and the projector as the kernels read them: matrices where they lie, norms and biases widened to float32. The network must outlive this.</summary>
internal sealed unsafe class EncoderWeights : IDisposable
{
    private readonly WideVectors _vectors = new();
    private readonly Dictionary<string, Tensor> _tensors;
    private readonly WeightFormat _format;

    /// <param name="network">On the CPU.</param>
    /// <param name="format">The network's own.</param>
    public EncoderWeights(LlavaNetwork network, WeightFormat format)
    {
        _format = format;
        _tensors = network.named_parameters().ToDictionary(entry => entry.name, entry => (Tensor)entry.parameter, StringComparer.Ordinal);
        Layers = [.. Enumerable.Range(0, network.VisionDepth).Select(layer => Layer($"vision_tower.vision_model.encoder.layers.{layer}."))];
        Projector = [.. Enumerable.Range(1, network.Config.Projector.Layers).Select(layer => Linear($"multi_modal_projector.linear_{layer}"))];
    }

    public IReadOnlyList<EncoderLayerWeights> Layers { get; }

    public IReadOnlyList<Linear> Projector { get; }

    public void Dispose() => _vectors.Dispose();

    private EncoderLayerWeights Layer(string prefix) => new(
        Norm(prefix + "layer_norm1"), Linear(prefix + "self_attn.q_proj"), Linear(prefix + "self_attn.k_proj"), Linear(prefix + "self_attn.v_proj"), Linear(prefix + "self_attn.out_proj"),
        Norm(prefix + "layer_norm2"), Linear(prefix + "mlp.fc1"), Linear(prefix + "mlp.fc2"));

    private Norm Norm(string name) => new(_vectors.Widen(_tensors[name + ".weight"]), _vectors.Widen(_tensors[name + ".bias"]));

    private Linear Linear(string name)
    {
        var weight = _tensors[name + ".weight"];
        var matrix = new Matrix((nint)TensorMemory.Address(weight), (int)weight.shape[0], ProductKernel.For(_format, (int)weight.shape[1]));
        return new(matrix, _tensors.TryGetValue(name + ".bias", out var bias) ? _vectors.Widen(bias) : 0);
    }
}

/// <summary>One block of the tower.</summary>
internal sealed record EncoderLayerWeights(Norm AttentionNorm, Linear Query, Linear Key, Linear Value, Linear Output, Norm MlpNorm, Linear Widen, Linear Narrow);

/// <param name="Weight">[hidden] in float32, as <paramref name="Bias"/>.</param>
internal readonly record struct Norm(nint Weight, nint Bias);

/// <param name="Bias">[outputs] in float32; 0 for none.</param>
internal readonly unsafe record struct Linear(Matrix Matrix, nint Bias)
{
    /// <summary>One chunk of x Wᵀ + b, to its place in y.</summary>
    /// <param name="y">[rows, outputs]</param>
    /// <param name="add">Whether it is added to what y holds.</param>
    public void Apply(int chunk, byte* x, int rows, float* y, bool add)
    {
        Matrix.Multiply(chunk, x, rows, y, Matrix.Outputs, add);
        var (first, count) = Matrix.Chunk(chunk);
        for (var row = 0; row < rows && Bias != 0; row++)
        {
            RowKernels.Add(y + ((nint)row * Matrix.Outputs) + first, (float*)Bias + first, count);
        }
    }
}
