using CsCheck;
using LlavaCluster.Model.Kernels;
using LlavaCluster.Model.Kernels.Adapters;
using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Tests.Kernels.Adapters;

/// <summary>The two products alone, in every format that factors are kept in, beside the same in double precision.</summary>
public sealed unsafe class LowRankTests
{
    private const int Outputs = 80; // the last half block of 32 is empty
    private const int Chunk = 64;
    private const float Before = 0.5f;
    private const double Scale = 1.5;

    private static readonly Gen<LowRankShape> Shapes =
        from rows in Gen.Int[1, 15]
        from inputs in Gen.Int[1, 5]
        from ranks in Gen.Frequency((1, Gen.Const(0)), (5, Gen.Int[1, 36]), (1, Gen.Int[60, 100])).Array[1, 3].Where(ranks => ranks.Any(rank => rank > 0))
        from seed in Gen.Int
        select new LowRankShape(rows, inputs * ProductKernel.InputMultiple, ranks, seed);

    // What ProductKernelTests allows the format for one product, and here are two: errors are independent, so that they add up as roots. Few numbers deviate more than many do.
    [Theory]
    [InlineData(WeightFormat.Float32, 1e-6)]
    [InlineData(WeightFormat.BFloat16, 0.006)]
    [InlineData(WeightFormat.Q8, 0.015)]
    public void Products_OfAnyShape_AreNearTheExactOnes(WeightFormat format, double share) => Shapes.Sample(shape =>
    {
        using var problem = new LowRankProblem(format, shape);
        var actual = problem.Run(0, shape.Rows);
        var expected = problem.Exact();

        var error = actual.Zip(expected).Sum(pair => Math.Pow(pair.First - Before - pair.Second, 2));
        return Math.Sqrt(error / expected.Sum(value => value * value)) <= share;
    });

    [Theory]
    [InlineData(WeightFormat.Float32)]
    [InlineData(WeightFormat.BFloat16)]
    [InlineData(WeightFormat.Q8)]
    public void Products_OfARowAlone_AreBitEqualToTheRowInABatch(WeightFormat format) => Shapes.Sample(shape =>
    {
        using var problem = new LowRankProblem(format, shape);
        var together = problem.Run(0, shape.Rows);
        var width = shape.Ranks.Length * Outputs;

        return Enumerable.Range(0, shape.Rows).All(row => problem.Run(row, 1).AsSpan().SequenceEqual(together.AsSpan(row * width, width)));
    });

    [Fact]
    public void Bytes_OfIntegers_AreAboutHalfOfBFloat16()
    {
        var shape = new LowRankShape(1, 768, [18, 18, 18], 1);
        using var half = new LowRankProblem(WeightFormat.BFloat16, shape);
        using var integers = new LowRankProblem(WeightFormat.Q8, shape);

        Assert.InRange((double)integers.Bytes / half.Bytes, 0.5, 0.56);
    }

    private readonly record struct LowRankShape(int Rows, int Inputs, int[] Ranks, int Seed);

    /// <summary>Random factors and rows; [rows, members, outputs] of results.</summary>
    private sealed class LowRankProblem : IDisposable
    {
        private readonly LowRankShape _shape;
        private readonly float[] _x;
        private readonly float[][] _a, _b;
        private readonly LowRank _products;
        private readonly IProductKernel _kernel;
        private readonly NativeBuffer<byte> _rows;

        public LowRankProblem(WeightFormat format, LowRankShape shape)
        {
            var random = new Random(shape.Seed);
            (_shape, _kernel) = (shape, ProductKernel.For(format, shape.Inputs));
            (_x, _a, _b) = (Draw(shape.Rows * shape.Inputs), [.. shape.Ranks.Select(rank => Draw(rank * shape.Inputs))], [.. shape.Ranks.Select(rank => Draw(Outputs * rank))]);
            _rows = new NativeBuffer<byte>(shape.Rows * _kernel.RowBytes);
            fixed (float* x = _x)
            {
                for (var row = 0; row < shape.Rows; row++)
                {
                    _kernel.Store(x + (row * shape.Inputs), _rows.Pointer + (row * _kernel.RowBytes), 0, shape.Inputs);
                }
            }

            using var scope = NewDisposeScope();
            _products = new LowRank([.. shape.Ranks.Select((rank, i) => rank == 0 ? null : new LoraFactors(tensor(_a[i], [rank, shape.Inputs]), tensor(_b[i], [Outputs, rank]), Scale))], format, shape.Inputs);

            float[] Draw(int count) => [.. Enumerable.Range(0, count).Select(_ => (float)((random.NextDouble() * 2) - 1))];
        }

        public long Bytes => _products.Bytes;

        public float[] Run(int first, int rows)
        {
            var (low, y, width) = (new float[rows * _products.Width], new float[rows * _shape.Ranks.Length * Outputs], _shape.Ranks.Length * Outputs);
            Array.Fill(y, Before);
            fixed (float* between = low, to = y)
            {
                for (var piece = 0; piece < _products.Pieces; piece++)
                {
                    _products.Shrink(piece, _rows.Pointer + (first * _kernel.RowBytes), rows, between, _products.Width);
                }

                for (var i = 0; i < 2 * _shape.Ranks.Length; i++)
                {
                    var (member, at) = (i / 2, i % 2 * Chunk);
                    _products.Expand(member, at, Math.Min(Chunk, Outputs - at), between, _products.Width, rows, to + (member * Outputs) + at, width);
                }
            }

            return y;
        }

        public double[] Exact()
        {
            var y = new double[_shape.Rows * _shape.Ranks.Length * Outputs];
            for (var i = 0; i < y.Length; i++)
            {
                var (row, member, output) = (i / (_shape.Ranks.Length * Outputs), i / Outputs % _shape.Ranks.Length, i % Outputs);
                for (var r = 0; r < _shape.Ranks[member]; r++)
                {
                    var low = Enumerable.Range(0, _shape.Inputs).Sum(k => (double)_x[(row * _shape.Inputs) + k] * _a[member][(r * _shape.Inputs) + k]);
                    y[i] += Scale * low * _b[member][(output * _shape.Ranks[member]) + r];
                }
            }

            return y;
        }

        public void Dispose()
        {
            _products.Dispose();
            _rows.Dispose();
        }
    }
}
