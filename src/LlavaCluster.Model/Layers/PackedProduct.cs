using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Layers;

/// <summary>x Wᵀ with a <see cref="PackedWeight"/>, in libtorch's graph: the gradient of x is that of y times W, which is unpacked once more.</summary>
internal sealed class PackedProduct : autograd.SingleTensorFunction<PackedProduct>
{
    private const string Weight = "weight";
    private const string Type = "type";

    public override string Name => nameof(PackedProduct);

    public static Tensor Run(Tensor input, PackedWeight weight) => apply(input, weight);

    public override Tensor forward(autograd.AutogradContext context, params object[] arguments)
    {
        var (input, weight) = ((Tensor)arguments[0], (PackedWeight)arguments[1]);
        context.save_data(Weight, weight);
        context.save_data(Type, input.dtype);
        using var _ = no_grad();
        return weight.Multiply(input, null);
    }

    public override List<Tensor> backward(autograd.AutogradContext context, Tensor gradient)
    {
        using var scope = NewDisposeScope();
        var matrix = ((PackedWeight)context.get_data(Weight)).Unpack();
        return [gradient.to(matrix.dtype).matmul(matrix).to((ScalarType)context.get_data(Type)).MoveToOuterDisposeScope(), null!];
    }
}
