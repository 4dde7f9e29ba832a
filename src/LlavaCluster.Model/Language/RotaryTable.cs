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
        var exponents = arange(0, config.HeadDim, 2, dtype: ScalarType.Float32, device: device) / config.HeadDim;
        var frequencies = 1.0 / pow((float)config.RopeTheta, exponents); // [headDim / 2]
        var positions = arange(config.MaxPositions, dtype: ScalarType.Float32, device: device) / config.RopeLinearFactor;
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
