using System.Numerics;

namespace LlavaCluster.Model.Kernels.Decoding;

/// <summary>What happens to rows between matrix products, with any processor's vectors. Lengths are multiples of <see cref="Products.ProductKernel.InputMultiple"/>.</summary>
internal static unsafe class RowKernels
{
    private static readonly Vector<uint> High = new(0xFFFF0000);

    /// <summary>y = bfloat16(x / rms(x) * weight): LlamaRMSNorm without the rounding between its two products.</summary>
    public static void RmsNorm(float* x, float* weight, ushort* y, int count, float epsilon)
    {
        var squares = Vector<float>.Zero;
        for (var i = 0; i < count; i += Vector<float>.Count)
        {
            var part = Vector.Load(x + i);
            squares = Vector.FusedMultiplyAdd(part, part, squares);
        }

        var scale = new Vector<float>(1 / MathF.Sqrt((Vector.Sum(squares) / count) + epsilon));
        for (var i = 0; i < count; i += Vector<ushort>.Count)
        {
            var half = i + Vector<float>.Count;
            Narrow(Vector.Load(x + i) * scale * Vector.Load(weight + i), Vector.Load(x + half) * scale * Vector.Load(weight + half)).Store(y + i);
        }
    }

    /// <summary>y = bfloat16(silu(gate) * up).</summary>
    public static void SwiGlu(float* gate, float* up, ushort* y, int count)
    {
        for (var i = 0; i < count; i += Vector<ushort>.Count)
        {
            var half = i + Vector<float>.Count;
            Narrow(Silu(Vector.Load(gate + i)) * Vector.Load(up + i), Silu(Vector.Load(gate + half)) * Vector.Load(up + half)).Store(y + i);
        }
    }

    /// <summary>Rotates one head in place: pairs are element i and element i + count / 2 (transformers: rotate_half).</summary>
    /// <param name="cosines">count / 2 of them.</param>
    public static void Rotate(float* head, float* cosines, float* sines, int count)
    {
        var half = count / 2;
        for (var i = 0; i < half; i++)
        {
            var (left, right) = (head[i], head[i + half]);
            head[i] = (left * cosines[i]) - (right * sines[i]);
            head[i + half] = (right * cosines[i]) + (left * sines[i]);
        }
    }

    /// <summary>y = bfloat16(x), to the nearest, ties to even.</summary>
    public static void Round(float* x, ushort* y, int count)
    {
        for (var i = 0; i < count; i += Vector<ushort>.Count)
        {
            Narrow(Vector.Load(x + i), Vector.Load(x + i + Vector<float>.Count)).Store(y + i);
        }
    }

    /// <summary>y = float32(x).</summary>
    public static void Widen(ushort* x, float* y, int count)
    {
        for (var i = 0; i < count; i += Vector<ushort>.Count)
        {
            Vector.Widen(Vector.Load(x + i), out var low, out var high);
            Vector.AsVectorSingle(low << 16).Store(y + i);
            Vector.AsVectorSingle(high << 16).Store(y + i + Vector<float>.Count);
        }
    }

    /// <summary>The elements at even and at odd places of one vector of bfloat16, as float32.</summary>
    public static (Vector<float> Even, Vector<float> Odd) Split(ushort* x)
    {
        var pairs = Vector.AsVectorUInt32(Vector.Load(x));
        return (Vector.AsVectorSingle(pairs << 16), Vector.AsVectorSingle(pairs & High));
    }

    private static Vector<float> Silu(Vector<float> x) => x / (Vector<float>.One + Vector.Exp(-x));

    private static Vector<ushort> Narrow(Vector<float> low, Vector<float> high) => Vector.Narrow(Rounded(low), Rounded(high));

    private static Vector<uint> Rounded(Vector<float> value)
    {
        var bits = Vector.AsVectorUInt32(value);
        return (bits + new Vector<uint>(0x7FFF) + ((bits >> 16) & Vector<uint>.One)) >> 16;
    }
}
