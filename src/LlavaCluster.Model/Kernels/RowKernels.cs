using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace LlavaCluster.Model.Kernels;

/// <summary>
/// What happens to rows between matrix products, in float32 with any processor's vectors. Lengths are multiples of <see cref="Products.ProductKernel.InputMultiple"/>.
/// Like other loops under everything, they are compiled well at once (AggressiveOptimization): quickly compiled vectors are tens of times slower, and a young server would wait for them.
/// </summary>
internal static unsafe class RowKernels
{
    /// <summary>y = x / rms(x) * weight: LlamaRMSNorm without the rounding between its two products.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RmsNorm(float* x, float* weight, float* y, int count, float epsilon)
    {
        var squares = Vector<float>.Zero;
        for (var i = 0; i < count; i += Vector<float>.Count)
        {
            var part = Vector.Load(x + i);
            squares = Vector.FusedMultiplyAdd(part, part, squares);
        }

        var scale = new Vector<float>(1 / MathF.Sqrt((Vector.Sum(squares) / count) + epsilon));
        for (var i = 0; i < count; i += Vector<float>.Count)
        {
            (Vector.Load(x + i) * scale * Vector.Load(weight + i)).Store(y + i);
        }
    }

    /// <summary>y = (x - mean) / standard deviation * weight + bias.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LayerNorm(float* x, float* weight, float* bias, float* y, int count, float epsilon)
    {
        var total = Vector<float>.Zero;
        for (var i = 0; i < count; i += Vector<float>.Count)
        {
            total += Vector.Load(x + i);
        }

        var mean = new Vector<float>(Vector.Sum(total) / count);
        var squares = Vector<float>.Zero;
        for (var i = 0; i < count; i += Vector<float>.Count)
        {
            var part = Vector.Load(x + i) - mean;
            squares = Vector.FusedMultiplyAdd(part, part, squares);
        }

        var scale = new Vector<float>(1 / MathF.Sqrt((Vector.Sum(squares) / count) + epsilon));
        for (var i = 0; i < count; i += Vector<float>.Count)
        {
            Vector.FusedMultiplyAdd((Vector.Load(x + i) - mean) * scale, Vector.Load(weight + i), Vector.Load(bias + i)).Store(y + i);
        }
    }

    /// <summary>y += x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Add(float* y, float* x, int count)
    {
        for (var i = 0; i < count; i += Vector<float>.Count)
        {
            (Vector.Load(y + i) + Vector.Load(x + i)).Store(y + i);
        }
    }

    /// <summary>gate = silu(gate) * up.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SwiGlu(float* gate, float* up, int count)
    {
        for (var i = 0; i < count; i += Vector512<float>.Count)
        {
            (Silu(Vector512.Load(gate + i)) * Vector512.Load(up + i)).Store(gate + i);
        }
    }

    /// <summary>Rotates one head in place: pairs are element i and element i + count / 2 (transformers: rotate_half).</summary>
    /// <param name="cosines">count / 2 of them, as of <paramref name="sines"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rotate(float* head, float* cosines, float* sines, int count)
    {
        var half = count / 2;
        for (var i = 0; i < half; i += Vector<float>.Count)
        {
            var (left, right) = (Vector.Load(head + i), Vector.Load(head + i + half));
            var (cosine, sine) = (Vector.Load(cosines + i), Vector.Load(sines + i));
            ((left * cosine) - (right * sine)).Store(head + i);
            ((right * cosine) + (left * sine)).Store(head + i + half);
        }
    }

    public static void Store<TElement, T>(float* x, T* y, int count)
        where TElement : struct, IElement<T>
        where T : unmanaged => Store<TElement, T>(x, y, count, 1);

    /// <summary>y = x * scale, rounded to the elements' type.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Store<TElement, T>(float* x, T* y, int count, float scale)
        where TElement : struct, IElement<T>
        where T : unmanaged
    {
        var factor = new Vector<float>(scale);
        for (var i = 0; i < count; i += 2 * Vector<float>.Count)
        {
            TElement.Store(y + i, Vector.Load(x + i) * factor, Vector.Load(x + i + Vector<float>.Count) * factor);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Load<TElement, T>(T* x, float* y, int count)
        where TElement : struct, IElement<T>
        where T : unmanaged
    {
        for (var i = 0; i < count; i += 2 * Vector<float>.Count)
        {
            TElement.Load(x + i, out var low, out var high);
            low.Store(y + i);
            high.Store(y + i + Vector<float>.Count);
        }
    }

    private static Vector512<float> Silu(Vector512<float> x) => x / (Vector512<float>.One + Exponential.Of(-x));
}
