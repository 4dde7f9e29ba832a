using System.Runtime.InteropServices;
using CsCheck;
using LlavaCluster.Model.Kernels.Machine;
using LlavaCluster.Model.Kernels.Products;

namespace LlavaCluster.Model.Tests.Kernels.Products;

public sealed unsafe class ProductKernelTests
{
    private static readonly Gen<(int Rows, int Inputs, int Outputs, ulong Seed)> Shapes =
        Gen.Select(Gen.Int[1, 14], Gen.Int[1, 9].Select(blocks => blocks * ProductKernel.InputMultiple), Gen.Int[1, 4].Select(blocks => blocks * ProductKernel.OutputMultiple), Gen.ULong);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Multiply_OfAnyShape_EqualsTheSumInDouble(bool portable) => Shapes.Sample(shape =>
    {
        using var problem = new Problem(shape.Rows, shape.Inputs, shape.Outputs, shape.Seed);
        var expected = problem.Expected();
        var kernel = Kernel(portable, shape.Inputs);
        var y = problem.Run(kernel, shape.Rows, 0, add: false);

        // A float32 sum of n products is off by at most about n roundings of the sum of magnitudes.
        return y.Zip(expected).All(pair => Math.Abs(pair.First - pair.Second) <= 1e-6 * shape.Inputs);
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Multiply_OfARowAlone_IsBitEqualToTheRowInABatch(bool portable) => Shapes.Sample(shape =>
    {
        using var problem = new Problem(shape.Rows, shape.Inputs, shape.Outputs, shape.Seed);
        var kernel = Kernel(portable, shape.Inputs);
        var together = problem.Run(kernel, shape.Rows, 0, add: false);

        return Enumerable.Range(0, shape.Rows).All(row =>
            problem.Run(kernel, 1, row, add: false).AsSpan(0, shape.Outputs).SequenceEqual(together.AsSpan(row * shape.Outputs, shape.Outputs)));
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Multiply_ThatAdds_LeavesTheSum(bool portable)
    {
        using var problem = new Problem(7, 64, 32, 3);
        var kernel = Kernel(portable, 64);
        var product = problem.Run(kernel, 7, 0, add: false);

        var added = problem.Run(kernel, 7, 0, add: true);

        Assert.All(product.Zip(added), pair => Assert.Equal(pair.First + Problem.Before, pair.Second));
    }

    private static IProductKernel Kernel(bool portable, int inputs)
    {
        Assert.SkipUnless(portable || Processor.HasBFloat16, "This processor has no AVX512-BF16.");
        return portable ? new PortableKernel(inputs) : new DotTileKernel(inputs);
    }

    /// <summary>Random operands in native memory.</summary>
    private sealed class Problem : IDisposable
    {
        public const float Before = 0.5f;
        private const nuint Alignment = 64;
        private readonly int _rows;
        private readonly int _inputs;
        private readonly int _outputs;
        private readonly ushort* _x;
        private readonly ushort* _weights;

        public Problem(int rows, int inputs, int outputs, ulong seed)
        {
            (_rows, _inputs, _outputs) = (rows, inputs, outputs);
            var random = new Random((int)seed);
            _x = Fill(rows * inputs, random);
            _weights = Fill(outputs * inputs, random);
        }

        public double[] Expected()
        {
            var y = new double[_rows * _outputs];
            for (var i = 0; i < y.Length; i++)
            {
                var (row, output) = (i / _outputs, i % _outputs);
                for (var k = 0; k < _inputs; k++)
                {
                    y[i] += (double)Widen(_x[(row * _inputs) + k]) * Widen(_weights[(output * _inputs) + k]);
                }
            }

            return y;
        }

        public float[] Run(IProductKernel kernel, int rows, int first, bool add)
        {
            var y = new float[rows * _outputs];
            Array.Fill(y, Before);
            fixed (float* target = y)
            {
                kernel.Multiply(_x + (first * _inputs), rows, _weights, _outputs, target, _outputs, add);
            }

            return y;
        }

        public void Dispose()
        {
            NativeMemory.AlignedFree(_x);
            NativeMemory.AlignedFree(_weights);
        }

        private static ushort* Fill(int count, Random random)
        {
            var values = (ushort*)NativeMemory.AlignedAlloc((nuint)count * sizeof(ushort), Alignment);
            for (var i = 0; i < count; i++)
            {
                values[i] = (ushort)(BitConverter.SingleToUInt32Bits((float)((random.NextDouble() * 2) - 1)) >> 16);
            }

            return values;
        }

        private static float Widen(ushort value) => BitConverter.UInt32BitsToSingle((uint)value << 16);
    }
}
