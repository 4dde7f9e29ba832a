using System.Numerics;
using LlavaCluster.Model.Kernels.Decoding;

namespace LlavaCluster.Model.Kernels.Products;

/// <summary>Any processor, with the widest vectors .NET has for it.</summary>
internal sealed unsafe class PortableKernel<TElement, T>(int inputs) : IProductKernel
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    public int Inputs => inputs;

    public int RowBytes => inputs * sizeof(T);

    public int OutputBytes => inputs * sizeof(T);

    public void Store(float* values, byte* row, int first, int count) => RowKernels.Store<TElement, T>(values, (T*)row + first, count);

    public void Multiply(byte* x, int rows, byte* weights, int outputs, float* y, nint stride, bool add)
    {
        for (var output = 0; output < outputs; output++)
        {
            for (var row = 0; row < rows; row++)
            {
                var target = y + (row * stride) + output;
                var product = Dot((T*)x + ((nint)row * inputs), (T*)weights + ((nint)output * inputs));
                *target = add ? product + *target : product;
            }
        }
    }

    private float Dot(T* left, T* right)
    {
        var (first, second) = (Vector<float>.Zero, Vector<float>.Zero);
        for (var i = 0; i < inputs; i += 2 * Vector<float>.Count)
        {
            TElement.Load(left + i, out var a, out var b);
            TElement.Load(right + i, out var c, out var d);
            first = Vector.FusedMultiplyAdd(a, c, first);
            second = Vector.FusedMultiplyAdd(b, d, second);
        }

        return Vector.Sum(first + second);
    }
}
