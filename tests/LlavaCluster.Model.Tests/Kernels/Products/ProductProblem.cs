using LlavaCluster.Model.Kernels;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Kernels.Products;

namespace LlavaCluster.Model.Tests.Kernels.Products;

public readonly record struct ProductShape(int Rows, int Inputs, int Outputs, int Seed);

/// <summary>Random operands for a kernel, as numbers and in its format.</summary>
internal sealed unsafe class ProductProblem : IDisposable
{
    /// <summary>What y holds before.</summary>
    public const float Before = 0.5f;

    private readonly WeightFormat _format;
    private readonly IProductKernel _kernel;
    private readonly ProductShape _shape;
    private readonly float[] _x;
    private readonly float[] _weights;
    private readonly NativeBuffer<byte> _rows;
    private readonly NativeBuffer<byte> _matrix;

    public ProductProblem(WeightFormat format, IProductKernel kernel, ProductShape shape)
    {
        (_format, _kernel, _shape) = (format, kernel, shape);
        var random = new Random(shape.Seed);
        _x = Draw(shape.Rows * shape.Inputs, random);
        _weights = Draw(shape.Outputs * shape.Inputs, random);
        _rows = new NativeBuffer<byte>(shape.Rows * kernel.RowBytes);
        _matrix = new NativeBuffer<byte>(shape.Outputs * kernel.OutputBytes);
        StoreRows();
        PackWeights();
    }

    /// <summary>The product of the numbers that were drawn.</summary>
    public double[] Exact() => Product(_x, _weights);

    /// <summary>The product of what the format holds of them.</summary>
    public double[] Expected() => Product(HeldRows(), HeldWeights());

    public float[] Run(int rows, int first, bool add)
    {
        var y = new float[rows * _shape.Outputs];
        Array.Fill(y, Before);
        fixed (float* target = y)
        {
            _kernel.Multiply(_rows.Pointer + (first * _kernel.RowBytes), rows, _matrix.Pointer, _shape.Outputs, target, _shape.Outputs, add);
        }

        return y;
    }

    public void Dispose()
    {
        _rows.Dispose();
        _matrix.Dispose();
        (_kernel as IDisposable)?.Dispose();
    }

    private bool IsInteger => ProductKernel.IsInteger(_format);

    private static float[] Draw(int count, Random random) => [.. Enumerable.Range(0, count).Select(_ => (float)((random.NextDouble() * 2) - 1))];

    // In two parts, as the decoder stores rows, and with zeros up to whole groups.
    private void StoreRows()
    {
        var whole = (_shape.Inputs + ProductKernel.InputMultiple - 1) / ProductKernel.InputMultiple * ProductKernel.InputMultiple;
        var half = whole / 2 / ProductKernel.InputMultiple * ProductKernel.InputMultiple;
        var values = new float[whole];
        fixed (float* x = values)
        {
            for (var row = 0; row < _shape.Rows; row++)
            {
                _x.AsSpan(row * _shape.Inputs, _shape.Inputs).CopyTo(values);
                var target = _rows.Pointer + (row * _kernel.RowBytes);
                _kernel.Store(x + half, target, half, whole - half);
                _kernel.Store(x, target, 0, half);
            }
        }
    }

    private void PackWeights()
    {
        if (IsInteger)
        {
            IntegerPacking.Pack(new IntegerLayout(_format, _shape.Inputs), _weights, _shape.Outputs, _matrix.Pointer);
            return;
        }

        fixed (float* weights = _weights)
        {
            for (var output = 0; output < _shape.Outputs; output++)
            {
                _kernel.Store(weights + (output * _shape.Inputs), _matrix.Pointer + (output * _kernel.OutputBytes), 0, _shape.Inputs);
            }
        }
    }

    private float[] HeldRows()
    {
        if (!IsInteger)
        {
            return Read(_rows, _shape.Rows);
        }

        var held = new float[_x.Length];
        for (var i = 0; i < held.Length; i++)
        {
            var group = _rows.Pointer + (i / _shape.Inputs * _kernel.RowBytes) + (i % _shape.Inputs / IntegerLayout.GroupInputs * IntegerLayout.RowGroupBytes);
            held[i] = ((sbyte*)group)[i % _shape.Inputs % IntegerLayout.GroupInputs] * *(float*)(group + IntegerLayout.RowScaleAt);
        }

        return held;
    }

    private float[] HeldWeights()
    {
        if (!IsInteger)
        {
            return Read(_matrix, _shape.Outputs);
        }

        var (layout, held) = (new IntegerLayout(_format, _shape.Inputs), new float[_weights.Length]);
        var block = ProductKernel.OutputMultiple * _shape.Inputs;
        for (var i = 0; i < held.Length / block; i++)
        {
            IntegerPacking.Unpack(layout, _matrix.Pointer + (i * layout.BlockBytes), held.AsSpan(i * block, block));
        }

        return held;
    }

    private float[] Read(NativeBuffer<byte> rows, int count)
    {
        var values = new float[count * _shape.Inputs];
        fixed (float* target = values)
        {
            if (_format == WeightFormat.BFloat16)
            {
                RowKernels.Load<BFloat16Element, ushort>((ushort*)rows.Pointer, target, values.Length);
            }
            else
            {
                RowKernels.Load<Float32Element, float>((float*)rows.Pointer, target, values.Length);
            }
        }

        return values;
    }

    private double[] Product(float[] x, float[] weights)
    {
        var y = new double[_shape.Rows * _shape.Outputs];
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
}
