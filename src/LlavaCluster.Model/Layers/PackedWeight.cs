using LlavaCluster.Model.Kernels;
using LlavaCluster.Model.Kernels.Products;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Layers;

/// <summary>
/// A frozen matrix [outputs, inputs] in 8 bits a weight and a scale for every 32, as serving's q8 holds it (Dettmers et al., QLoRA, 2023, have the idea in 4 bits). A product unpacks it into
/// the <see cref="WeightRoom"/> and lets libtorch multiply; its gradient goes to the input alone and unpacks it again, so nothing is kept between the two. For the room's thread.
/// </summary>
public sealed unsafe class PackedWeight : IDisposable
{
    private readonly IntegerLayout _layout;
    private readonly int _outputs;
    private readonly NativeBuffer<byte> _bytes;
    private readonly WeightRoom _room;

    /// <param name="stored">[outputs, inputs] that <see cref="Fits"/>, in any type that weight files have; it may go afterwards.</param>
    /// <param name="room">Must outlive this.</param>
    public PackedWeight(Tensor stored, WeightRoom room)
    {
        (_outputs, _layout, _room) = ((int)stored.shape[0], new IntegerLayout(WeightFormat.Q8, (int)stored.shape[1]), room);
        _bytes = new NativeBuffer<byte>(MatrixPacking.Bytes(WeightFormat.Q8, _outputs, _layout.Inputs));
        room.Reserve((long)_outputs * _layout.Inputs);
        MatrixPacking.PackStored(stored, WeightFormat.Q8, _bytes.Pointer, room.Team);
    }

    /// <summary>What is held, integers and scales.</summary>
    public ReadOnlySpan<byte> Bytes => new(_bytes.Pointer, checked((int)_bytes.Count));

    /// <summary>Whether a matrix can be held so.</summary>
    public static bool Fits(long outputs, long inputs) => ProductKernel.Supports((int)inputs, (int)outputs);

    /// <summary>x Wᵀ + b in the room's type; [..., inputs] to [..., outputs].</summary>
    public Tensor Multiply(Tensor input, Tensor? bias)
    {
        using var scope = NewDisposeScope();
        if (!is_grad_enabled() || !input.requires_grad)
        {
            return nn.functional.linear(input.to(_room.Type), Unpack(), bias?.to(_room.Type)).MoveToOuterDisposeScope();
        }

        var product = PackedProduct.Run(input, this);
        return (bias is null ? product : product.Plus(bias.to(_room.Type))).MoveToOuterDisposeScope();
    }

    /// <summary>The matrix as numbers, until the room's next one. The caller disposes the tensor.</summary>
    public Tensor Unpack() => _room.Unpack(_bytes.Pointer, _layout, _outputs);

    public void Dispose() => _bytes.Dispose();
}
