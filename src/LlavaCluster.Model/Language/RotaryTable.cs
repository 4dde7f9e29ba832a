using LlavaCluster.Model.Config;
using LlavaCluster.Model.Layers;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Language;

/// <summary>
/// Rotary position embedding in the "rotate half" form (transformers: LlamaRotaryEmbedding): cos and sin of every position, in float32, [positions, headDim].
/// Not a module: a table is derived, not a parameter.
/// </summary>
internal sealed class RotaryTable : IDisposable
{
    private readonly Tensor _cos;
    private readonly Tensor _sin;

    public RotaryTable(TextConfig config, Device device)
    {
        using var scope = NewDisposeScope();
        var exponents = Enumerable.Range(0, config.HeadDim / 2).Select(i => 2 * i / (float)config.HeadDim).ToArray();
        var frequencies = pow((float)config.RopeTheta, tensor(exponents, device: device)).reciprocal(); // [headDim / 2]
        var positions = tensor([.. Enumerable.Range(0, config.MaxPositions).Select(i => i / (float)config.RopeLinearFactor)], device: device);
        var half = outer(positions, frequencies);
        var angles = cat([half, half], -1); // [positions, headDim]
        _cos = angles.cos().DetachFromDisposeScope();
        _sin = angles.sin().DetachFromDisposeScope();
    }

    /// <summary>Rows of the table for these positions, [tokens, 1, headDim] each, in the given dtype.</summary>
    public (Tensor Cos, Tensor Sin) At(Tensor positions, ScalarType dtype) =>
        (_cos.index_select(0, positions).unsqueeze(1).to(dtype), _sin.index_select(0, positions).unsqueeze(1).to(dtype));

    public static Tensor Rotate(Tensor heads, (Tensor Cos, Tensor Sin) rotation)
    {
        var half = heads.shape[^1] / 2;
        var turned = cat([heads.narrow(-1, half, half).neg(), heads.narrow(-1, 0, half)], -1);
        return (heads * rotation.Cos).Plus(turned * rotation.Sin);
    }

    public void Dispose()
    {
        _cos.Dispose();
        _sin.Dispose();
    }
}
