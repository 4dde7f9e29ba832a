using LlavaCluster.Training.Precision;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Tuning;

/// <summary>
/// A decoder layer that keeps its input alone and computes the rest a second time for its gradient (Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016). The
/// second time is as the first, bit for bit, so the gradients are those of the plain layer.
/// </summary>
internal sealed class RecomputedLayer : autograd.SingleTensorFunction<RecomputedLayer>
{
    private const string Layer = "layer";
    private const string Narrow = "narrow";

    public override string Name => nameof(RecomputedLayer);

    /// <param name="autocast">Whether products run in bfloat16, the second time too.</param>
    public static Tensor Run(Func<Tensor, Tensor> layer, Tensor hidden, bool autocast)
    {
        if (!hidden.requires_grad)
        {
            // Words of a frozen table: without this nothing would tell libtorch that there is a gradient to compute.
            hidden = hidden.detach();
            hidden.requires_grad = true;
        }

        return apply(hidden, layer, autocast);
    }

    public override Tensor forward(autograd.AutogradContext context, params object[] arguments)
    {
        var (hidden, layer) = ((Tensor)arguments[0], (Func<Tensor, Tensor>)arguments[1]);
        context.save_for_backward([hidden]);
        context.save_data(Layer, layer);
        context.save_data(Narrow, arguments[2]);
        using var _ = no_grad();
        return layer(hidden);
    }

    public override List<Tensor> backward(autograd.AutogradContext context, Tensor gradient)
    {
        using var scope = NewDisposeScope();
        using var _ = enable_grad();
        var layer = (Func<Tensor, Tensor>)context.get_data(Layer);
        var input = context.get_saved_variables()[0].detach();
        input.requires_grad = true;
        Tensor output;
        using (Autocast.BFloat16((bool)context.get_data(Narrow)))
        {
            output = layer(input);
        }

        autograd.backward([output], [gradient]);
        return [input.grad!.MoveToOuterDisposeScope(), null!, null!];
    }
}
