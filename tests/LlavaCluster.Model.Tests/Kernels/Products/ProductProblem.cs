using LlavaCluster.Model.Kernels;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Kernels.Products;

namespace LlavaCluster.Model.Tests.Kernels.Products;

internal readonly record struct ProductShape(int Rows, int Inputs, int Outputs, int Seed);

/// <summary>Random operands for a kernel, whatever its elements.</summary>
internal interface IProductProblem : IDisposable
{
    /// <summary>What y holds before.</summary>
    const float Before = 0.5f;

    double[] Expected();

    float[] Run(int rows, int first, bool add);
}

internal sealed unsafe class ProductProblem<TElement, T> : IProductProblem
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    private readonly IProductKernel<T> _kernel;
    private readonly ProductShape _shape;
    private readonly NativeBuffer<T> _x;
    private readonly NativeBuffer<T> _weights;

    public ProductProblem(IProductKernel<T> kernel, ProductShape shape)
    {
        (_kernel, _shape) = (kernel, shape);
        var random = new Random(shape.Seed);
        _x = Fill(shape.Rows * shape.Inputs, random);
        _weights = Fill(shape.Outputs * shape.Inputs, random);
    }

    public double[] Expected()
    {
        var y = new double[_shape.Rows * _shape.Outputs];
        var (x, weights) = (Read(_x), Read(_weights));
        for (var i = 0; i < y.Length; i++)
        {
            var (row, output) = (i / _shape.Outputs, i % _shape.Outputs);
            for (var k = 0; k < _shape.Inputs; k++)
            {
                y[i] += (double)x[(row * _shape.Inputs) + k] * weights[(output * _shape.Inputs) + k];
            }
        }

        return y;
    }

    public float[] Run(int rows, int first, bool add)
    {
        var y = new float[rows * _shape.Outputs];
        Array.Fill(y, IProductProblem.Before);
        fixed (float* target = y)
        {
            _kernel.Multiply(_x.Pointer + (first * _shape.Inputs), rows, _weights.Pointer, _shape.Outputs, target, _shape.Outputs, add);
        }

        return y;
    }

    public void Dispose()
    {
        _x.Dispose();
        _weights.Dispose();
        (_kernel as IDisposable)?.Dispose();
    }

    private static NativeBuffer<T> Fill(int count, Random random)
    {
        float[] drawn = [.. Enumerable.Range(0, count).Select(_ => (float)((random.NextDouble() * 2) - 1))];
        var values = new NativeBuffer<T>(count);
        fixed (float* source = drawn)
        {
            RowKernels<TElement, T>.Store(source, values.Pointer, count);
        }

        return values;
    }

    private static float[] Read(NativeBuffer<T> values)
    {
        var wide = new float[values.Count];
        fixed (float* target = wide)
        {
            RowKernels<TElement, T>.Load(values.Pointer, target, wide.Length);
        }

        return wide;
    }
}
