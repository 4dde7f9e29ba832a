using LlavaCluster.Model.Config;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Layers;

internal static class Activations
{
    public static Tensor Apply(this Activation activation, Tensor input) => activation switch
    {
        Activation.QuickGelu => input * sigmoid(input.mul(Scalars.QuickGelu)),
        Activation.Gelu => nn.functional.gelu(input),
        Activation.Silu => nn.functional.silu(input),
        _ => throw new ArgumentOutOfRangeException(nameof(activation), activation, "not an activation"),
    };
}
