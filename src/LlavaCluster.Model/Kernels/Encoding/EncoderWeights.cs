using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Kernels.Encoding;

/// <summary>
/// The tower and the projector as the kernels read them: matrices where they lie, but for a copy of the patch kernel with rows filled up to what a product takes; norms, biases and positions
/// widened to float32. The network must outlive this.
/// </summary>
internal sealed unsafe class EncoderWeights : IDisposable
{
    private readonly WideVectors _vectors = new();
    private readonly Dictionary<string, Tensor> _tensors;
    private readonly WeightFormat _format;
    private readonly Tensor _patchKernel;

    /// <param name="network">On the CPU.</param>
    /// <param name="format">The network's own.</param>
    public EncoderWeights(LlavaNetwork network, WeightFormat format)
    {
        _format = format;
        _tensors = network.named_parameters().ToDictionary(entry => entry.name, entry => (Tensor)entry.parameter, StringComparer.Ordinal);
        const string embeddings = "vision_tower.vision_model.embeddings.";
        _patchKernel = FilledUp(_tensors[embeddings + "patch_embedding.weight"]);
        Patches = new PatchWeights(
            Matrix(_patchKernel), _vectors.Widen(_tensors[embeddings + "class_embedding"]), _vectors.Widen(_tensors[embeddings + "position_embedding.weight"]), Norm("vision_tower.vision_model.pre_layrnorm"));
        Layers = [.. Enumerable.Range(0, network.VisionDepth).Select(layer => Layer($"vision_tower.vision_model.encoder.layers.{layer}."))];
        Projector = [.. Enumerable.Range(1, network.Config.Projector.Layers).Select(layer => Linear($"multi_modal_projector.linear_{layer}"))];
    }

    public PatchWeights Patches { get; }

    public IReadOnlyList<EncoderLayerWeights> Layers { get; }

    public IReadOnlyList<Linear> Projector { get; }

    public void Dispose()
    {
        _vectors.Dispose();
        _patchKernel.Dispose();
    }

    private EncoderLayerWeights Layer(string prefix) => new(
        Norm(prefix + "layer_norm1"), Linear(prefix + "self_attn.q_proj"), Linear(prefix + "self_attn.k_proj"), Linear(prefix + "self_attn.v_proj"), Linear(prefix + "self_attn.out_proj"),
        Norm(prefix + "layer_norm2"), Linear(prefix + "mlp.fc1"), Linear(prefix + "mlp.fc2"));

    private Norm Norm(string name) => new(_vectors.Widen(_tensors[name + ".weight"]), _vectors.Widen(_tensors[name + ".bias"]));

    private Linear Linear(string name) => new(Matrix(_tensors[name + ".weight"]), _tensors.TryGetValue(name + ".bias", out var bias) ? _vectors.Widen(bias) : 0);

    private Matrix Matrix(Tensor weight) => new((nint)TensorMemory.Address(weight), (int)weight.shape[0], ProductKernel.For(_format, (int)weight.shape[1]));

    // [outputs, ...] to [outputs, inputs] with zeros behind them.
    private static Tensor FilledUp(Tensor kernel)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var matrix = kernel.view(kernel.shape[0], -1);
        var inputs = (matrix.shape[1] + ProductKernel.InputMultiple - 1) / ProductKernel.InputMultiple * ProductKernel.InputMultiple;
        return nn.functional.pad(matrix, [0, inputs - matrix.shape[1]]).contiguous().DetachFromDisposeScope();
    }
}

/// <summary>What makes hidden state 0 of pixels.</summary>
/// <param name="Kernel">[hidden, 3 * patch * patch, filled up]</param>
/// <param name="Class">[hidden] in float32.</param>
/// <param name="Positions">[1 + patches, hidden] in float32.</param>
internal readonly record struct PatchWeights(Matrix Kernel, nint Class, nint Positions, Norm Norm);

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
