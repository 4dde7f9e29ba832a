using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Tests.Layers;

public sealed class PackedWeightTests
{
    [Theory]
    [InlineData(ScalarType.Float32, ScalarType.Float32, 1)]
    [InlineData(ScalarType.Float32, ScalarType.BFloat16, 2)]
    [InlineData(ScalarType.BFloat16, ScalarType.Float32, 3)]
    [InlineData(ScalarType.Float16, ScalarType.BFloat16, 1)]
    public void Unpack_GivesTheNumbersThatTheKernelsMultiplyWith(ScalarType stored, ScalarType type, int threads)
    {
        using var scope = NewDisposeScope();
        using var room = new WeightRoom(type, threads);
        var matrix = randn([48, 96]).to(stored);
        using var weight = new PackedWeight(matrix, room);

        var expected = Held(matrix.to(ScalarType.Float32));

        Assert.True(expected.to(type).equal(weight.Unpack()).all().item<bool>());
        Assert.True(expected.sub(matrix.to(ScalarType.Float32)).abs().max().item<float>() < 0.02); // 4 standard deviations in 127 parts
    }

    [Fact]
    public void Multiply_HasTheProductAndTheGradientOfTheNumbersItHolds()
    {
        using var scope = NewDisposeScope();
        using var room = new WeightRoom(ScalarType.Float32, 1);
        var matrix = randn([32, 64]);
        using var weight = new PackedWeight(matrix, room);
        using var other = new PackedWeight(randn([48, 64]), room); // takes the room in between
        var (held, bias) = (Held(matrix), randn([32]));
        var input = randn([3, 5, 64]);
        var plain = input.clone();
        (input.requires_grad, plain.requires_grad) = (true, true);

        var (product, expected) = (weight.Multiply(input, bias), nn.functional.linear(plain, held, bias));
        (product * other.Multiply(input, null).narrow(-1, 0, 32)).sum().backward();
        (expected * nn.functional.linear(plain, other.Unpack().clone()).narrow(-1, 0, 32)).sum().backward();

        Assert.True(product.allclose(expected, rtol: 1e-6, atol: 1e-5));
        Assert.True(input.grad!.allclose(plain.grad!, rtol: 1e-6, atol: 1e-4));
        Assert.True(weight.Multiply(plain.detach(), bias).equal(expected).all().item<bool>()); // without a graph it is libtorch's own
    }

    [Fact]
    public void Multiply_LeavesNoTensor()
    {
        DisposeScopeManager.Statistics.Reset();
        using (NewDisposeScope())
        {
            using var room = new WeightRoom(ScalarType.BFloat16, 1);
            using var weight = new PackedWeight(randn([32, 64]), room);
            var input = randn([4, 64]);
            input.requires_grad = true;
            var product = weight.Multiply(input, randn([32]));
            Assert.Equal(ScalarType.BFloat16, product.dtype);
            product.sum().backward();
            Assert.Equal(ScalarType.Float32, input.grad!.dtype);
        }

        Assert.Equal(0, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Theory]
    [InlineData(16, 32, true)]
    [InlineData(24, 32, false)]
    [InlineData(16, 48, false)]
    public void Fits_WholeBlocksAndGroups(long outputs, long inputs, bool fits) => Assert.Equal(fits, PackedWeight.Fits(outputs, inputs));

    /// <summary>By the plain packing, block after block.</summary>
    private static unsafe Tensor Held(Tensor matrix)
    {
        var (outputs, layout) = ((int)matrix.shape[0], new IntegerLayout(WeightFormat.Q8, (int)matrix.shape[1]));
        var (packed, numbers) = (new byte[MatrixPacking.Bytes(WeightFormat.Q8, outputs, layout.Inputs)], new float[outputs * layout.Inputs]);
        fixed (byte* bytes = packed)
        {
            IntegerPacking.Pack(layout, matrix.data<float>().ToArray(), outputs, bytes);
            for (var block = 0; block < outputs / ProductKernel.OutputMultiple; block++)
            {
                IntegerPacking.Unpack(layout, bytes + (block * layout.BlockBytes), numbers.AsSpan(block * ProductKernel.OutputMultiple * layout.Inputs, ProductKernel.OutputMultiple * layout.Inputs));
            }
        }

        return tensor(numbers, [outputs, layout.Inputs]);
    }
}
