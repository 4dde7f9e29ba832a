using LlavaCluster.Model.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Adapters;

/// <summary>What an adapter does to one projection: replaces its weight and bias, adds scale * B A, or both. Its adapter owns the tensors.</summary>
/// <param name="Weight">[out, in], or null to keep the base's weight and bias.</param>
/// <param name="Down">A, [rank, in]; null where nothing is added.</param>
/// <param name="Up">B, [out, rank].</param>
internal sealed record ProjectionChange(Tensor? Weight, Tensor? Bias, Tensor? Down, Tensor? Up, Scalar Scale)
{
    /// <param name="input">Rows of the adapter, [rows, ..., in].</param>
    /// <param name="output">What the base makes of them, [rows, ..., out].</param>
    /// <param name="thinned">What the low-rank product sees in place of the input; null for the input.</param>
    public Tensor Apply(Tensor input, Tensor output, Tensor? thinned = null)
    {
        var changed = Weight is null ? output : nn.functional.linear(input, Weight, Bias);
        return Down is null ? changed : changed.Plus(nn.functional.linear(nn.functional.linear(thinned ?? input, Down), Up!).mul(Scale));
    }
}
