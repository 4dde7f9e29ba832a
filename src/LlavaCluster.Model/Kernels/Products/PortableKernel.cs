using System.Numerics;
using System.Runtime.CompilerServices;
using LlavaCluster.Model.Kernels.Decoding;

namespace LlavaCluster.Model.Kernels.Products;

/// <summary>
/// Any processor, with the widest vectors .NET has for it. A tile is two rows of x and four of W, as many sums as a processor with 16 registers can keep adding to without waiting for one.
/// Every sum goes along the inputs in the same order, alone or in a tile, so that a row's numbers do not depend on the rows beside it.
/// </summary>
internal sealed unsafe class PortableKernel<TElement, T>(int inputs) : IProductKernel
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    private const int TileRows = 2;
    private const int TileOutputs = 4;

    public int Inputs => inputs;

    public int RowBytes => inputs * sizeof(T);

    public int OutputBytes => inputs * sizeof(T);

    private static int Step => 2 * Vector<float>.Count;

    public void Store(float* values, byte* row, int first, int count) => RowKernels.Store<TElement, T>(values, (T*)row + first, count);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Multiply(byte* x, int rows, byte* weights, int outputs, float* y, nint stride, bool add)
    {
        var sums = stackalloc float[TileRows * TileOutputs];
        for (var output = 0; output < outputs; output += TileOutputs)
        {
            var w = (T*)weights + ((nint)output * inputs);
            for (int row = 0, height; row < rows; row += height)
            {
                height = Math.Min(TileRows, rows - row);
                if (height == TileRows)
                {
                    Two((T*)x + ((nint)row * inputs), w, sums);
                }
                else
                {
                    One((T*)x + ((nint)row * inputs), w, sums);
                }

                for (var m = 0; m < height; m++)
                {
                    var target = y + ((row + m) * stride) + output;
                    for (var n = 0; n < TileOutputs; n++)
                    {
                        var sum = sums[(m * TileOutputs) + n];
                        target[n] = add ? sum + target[n] : sum;
                    }
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void One(T* x, T* w, float* sums)
    {
        Vector<float> s0 = default, s1 = default, s2 = default, s3 = default;
        T* w1 = w + inputs, w2 = w1 + inputs, w3 = w2 + inputs;
        for (var i = 0; i < inputs; i += Step)
        {
            TElement.Load(x + i, out var low, out var high);
            Add(w + i, low, high, ref s0);
            Add(w1 + i, low, high, ref s1);
            Add(w2 + i, low, high, ref s2);
            Add(w3 + i, low, high, ref s3);
        }

        (sums[0], sums[1], sums[2], sums[3]) = (Vector.Sum(s0), Vector.Sum(s1), Vector.Sum(s2), Vector.Sum(s3));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Two(T* x, T* w, float* sums)
    {
        Vector<float> s0 = default, s1 = default, s2 = default, s3 = default, t0 = default, t1 = default, t2 = default, t3 = default;
        T* w1 = w + inputs, w2 = w1 + inputs, w3 = w2 + inputs;
        for (var i = 0; i < inputs; i += Step)
        {
            TElement.Load(x + i, out var low, out var high);
            TElement.Load(x + inputs + i, out var nextLow, out var nextHigh);
            Add(w + i, low, high, nextLow, nextHigh, ref s0, ref t0);
            Add(w1 + i, low, high, nextLow, nextHigh, ref s1, ref t1);
            Add(w2 + i, low, high, nextLow, nextHigh, ref s2, ref t2);
            Add(w3 + i, low, high, nextLow, nextHigh, ref s3, ref t3);
        }

        (sums[0], sums[1], sums[2], sums[3]) = (Vector.Sum(s0), Vector.Sum(s1), Vector.Sum(s2), Vector.Sum(s3));
        (sums[4], sums[5], sums[6], sums[7]) = (Vector.Sum(t0), Vector.Sum(t1), Vector.Sum(t2), Vector.Sum(t3));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(T* weights, Vector<float> low, Vector<float> high, ref Vector<float> sum)
    {
        TElement.Load(weights, out var first, out var second);
        sum = Vector.FusedMultiplyAdd(high, second, Vector.FusedMultiplyAdd(low, first, sum));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(T* weights, Vector<float> low, Vector<float> high, Vector<float> nextLow, Vector<float> nextHigh, ref Vector<float> sum, ref Vector<float> next)
    {
        TElement.Load(weights, out var first, out var second);
        sum = Vector.FusedMultiplyAdd(high, second, Vector.FusedMultiplyAdd(low, first, sum));
        next = Vector.FusedMultiplyAdd(nextHigh, second, Vector.FusedMultiplyAdd(nextLow, first, next));
    }
}
