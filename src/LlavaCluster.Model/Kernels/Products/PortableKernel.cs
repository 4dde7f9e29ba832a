using System.Numerics;

namespace LlavaCluster.Model.Kernels.Products;

/// <summary>Any processor: bfloat16 is the upper half of a float32, so a vector of pairs widens to even and odd elements by a shift and a mask.</summary>
internal sealed unsafe class PortableKernel(int inputs) : IProductKernel
{
    private const int RowsTogether = 4;

    public void Multiply(ushort* x, int rows, ushort* weights, int outputs, float* y, nint stride, bool add)
    {
        for (var row = 0; row < rows; row += RowsTogether)
        {
            var count = Math.Min(RowsTogether, rows - row);
            for (var output = 0; output < outputs; output++)
            {
                for (var m = 0; m < count; m++)
                {
                    var target = y + ((row + m) * stride) + output;
                    var product = Dot(x + ((nint)(row + m) * inputs), weights + ((nint)output * inputs));
                    *target = add ? product + *target : product;
                }
            }
        }
    }

    private float Dot(ushort* left, ushort* right)
    {
        var (even, odd) = (Vector<float>.Zero, Vector<float>.Zero);
        var high = new Vector<uint>(0xFFFF0000);
        for (var i = 0; i < inputs; i += Vector<ushort>.Count)
        {
            var (a, b) = (Vector.AsVectorUInt32(Vector.Load(left + i)), Vector.AsVectorUInt32(Vector.Load(right + i)));
            even = Vector.FusedMultiplyAdd(Vector.AsVectorSingle(a << 16), Vector.AsVectorSingle(b << 16), even);
            odd = Vector.FusedMultiplyAdd(Vector.AsVectorSingle(a & high), Vector.AsVectorSingle(b & high), odd);
        }

        return Vector.Sum(even + odd);
    }
}
