using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace LlavaCluster.Model.Kernels.Attention;

/// <summary>The two products of attention with any processor's vectors, in float32 whatever the cache holds; four queries share what is loaded.</summary>
/// <param name="headDim">A multiple of <see cref="Products.ProductKernel.InputMultiple"/>.</param>
/// <param name="blockStride">Elements from a block to the next.</param>
/// <param name="stride">Floats from one query's scores to the next.</param>
internal sealed unsafe class PortableAttention<TElement, T>(int headDim, nint blockStride, int stride)
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    private const int BlockSize = AttentionKernel<TElement, T>.BlockSize;
    private const int Four = 4;
    private const int Slice = 64; // of a head's dimensions: four queries' sums in 16 registers
    private const int Lanes = 16;

    /// <summary>Query times key for every token of the blocks, not scaled.</summary>
    /// <param name="scores">[queries, stride]</param>
    public void Score(ReadOnlySpan<nint> queries, T* keys, ReadOnlySpan<long> blocks, float* scores)
    {
        var first = 0;
        for (; first + Four <= queries.Length; first += Four)
        {
            ScoreFour(queries[first..], keys, blocks, scores + ((nint)first * stride));
        }

        for (; first < queries.Length; first++)
        {
            ScoreOne((float*)queries[first], keys, blocks, scores + ((nint)first * stride));
        }
    }

    /// <summary>Values added up by weight.</summary>
    /// <param name="weights">[queries, stride]; 0 behind a query's context.</param>
    /// <param name="context">The longest.</param>
    /// <param name="output">[queries, headDim]</param>
    public void Mix(int queries, float* weights, int context, T* values, ReadOnlySpan<long> blocks, float* output)
    {
        for (var slice = 0; slice < headDim; slice += Slice)
        {
            var width = Math.Min(Slice, headDim - slice);
            var first = 0;
            for (; first + Four <= queries && width == Slice; first += Four)
            {
                MixFour(values, slice, blocks, context, weights + ((nint)first * stride), output + (first * headDim) + slice);
            }

            for (; first < queries; first++)
            {
                MixOne(values, slice, width, blocks, context, weights + ((nint)first * stride), output + (first * headDim) + slice);
            }
        }
    }

    private void ScoreFour(ReadOnlySpan<nint> queries, T* keys, ReadOnlySpan<long> blocks, float* scores)
    {
        float* first = (float*)queries[0], second = (float*)queries[1], third = (float*)queries[2], fourth = (float*)queries[3];
        for (var block = 0; block < blocks.Length; block++)
        {
            var key = keys + ((nint)blocks[block] * blockStride);
            var (a, b, c, d) = (Vector512<float>.Zero, Vector512<float>.Zero, Vector512<float>.Zero, Vector512<float>.Zero);
            for (var i = 0; i < headDim; i += 2)
            {
                TElement.LoadPairs(key + (i * BlockSize), out var even, out var odd);
                a = Add(a, even, odd, first + i);
                b = Add(b, even, odd, second + i);
                c = Add(c, even, odd, third + i);
                d = Add(d, even, odd, fourth + i);
            }

            var at = scores + (block * BlockSize);
            a.Store(at);
            b.Store(at + stride);
            c.Store(at + (2 * stride));
            d.Store(at + (3 * stride));
        }
    }

    private void ScoreOne(float* query, T* keys, ReadOnlySpan<long> blocks, float* scores)
    {
        for (var block = 0; block < blocks.Length; block++)
        {
            var key = keys + ((nint)blocks[block] * blockStride);
            var sum = Vector512<float>.Zero;
            for (var i = 0; i < headDim; i += 2)
            {
                TElement.LoadPairs(key + (i * BlockSize), out var even, out var odd);
                sum = Add(sum, even, odd, query + i);
            }

            sum.Store(scores + (block * BlockSize));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Add(Vector512<float> sum, Vector512<float> even, Vector512<float> odd, float* pair) =>
        Vector512.FusedMultiplyAdd(odd, Vector512.Create(pair[1]), Vector512.FusedMultiplyAdd(even, Vector512.Create(pair[0]), sum));

    private void MixFour(T* values, int slice, ReadOnlySpan<long> blocks, int context, float* weights, float* output)
    {
        Vector512<float> a0 = default, a1 = default, a2 = default, a3 = default, b0 = default, b1 = default, b2 = default, b3 = default;
        Vector512<float> c0 = default, c1 = default, c2 = default, c3 = default, d0 = default, d1 = default, d2 = default, d3 = default;
        for (var token = 0; token < context; token += 2)
        {
            var block = values + ((nint)blocks[token / BlockSize] * blockStride);
            TElement.LoadTokens(block, slice, token % BlockSize, headDim, out var even0, out var odd0);
            TElement.LoadTokens(block, slice + Lanes, token % BlockSize, headDim, out var even1, out var odd1);
            (a0, b0, c0, d0) = (Add(a0, even0, odd0, weights + token), Add(b0, even0, odd0, weights + token + stride), Add(c0, even0, odd0, weights + token + (2 * stride)), Add(d0, even0, odd0, weights + token + (3 * stride)));
            (a1, b1, c1, d1) = (Add(a1, even1, odd1, weights + token), Add(b1, even1, odd1, weights + token + stride), Add(c1, even1, odd1, weights + token + (2 * stride)), Add(d1, even1, odd1, weights + token + (3 * stride)));
            TElement.LoadTokens(block, slice + (2 * Lanes), token % BlockSize, headDim, out even0, out odd0);
            TElement.LoadTokens(block, slice + (3 * Lanes), token % BlockSize, headDim, out even1, out odd1);
            (a2, b2, c2, d2) = (Add(a2, even0, odd0, weights + token), Add(b2, even0, odd0, weights + token + stride), Add(c2, even0, odd0, weights + token + (2 * stride)), Add(d2, even0, odd0, weights + token + (3 * stride)));
            (a3, b3, c3, d3) = (Add(a3, even1, odd1, weights + token), Add(b3, even1, odd1, weights + token + stride), Add(c3, even1, odd1, weights + token + (2 * stride)), Add(d3, even1, odd1, weights + token + (3 * stride)));
        }

        Store(output, a0, a1, a2, a3);
        Store(output + headDim, b0, b1, b2, b3);
        Store(output + (2 * headDim), c0, c1, c2, c3);
        Store(output + (3 * headDim), d0, d1, d2, d3);
    }

    private static void Store(float* to, Vector512<float> first, Vector512<float> second, Vector512<float> third, Vector512<float> fourth)
    {
        first.Store(to);
        second.Store(to + Lanes);
        third.Store(to + (2 * Lanes));
        fourth.Store(to + (3 * Lanes));
    }

    private void MixOne(T* values, int slice, int width, ReadOnlySpan<long> blocks, int context, float* weights, float* output)
    {
        for (var part = 0; part < width; part += 2 * Lanes)
        {
            var (low, high) = (Vector512<float>.Zero, Vector512<float>.Zero);
            for (var token = 0; token < context; token += 2)
            {
                var block = values + ((nint)blocks[token / BlockSize] * blockStride);
                TElement.LoadTokens(block, slice + part, token % BlockSize, headDim, out var even, out var odd);
                low = Add(low, even, odd, weights + token);
                TElement.LoadTokens(block, slice + part + Lanes, token % BlockSize, headDim, out even, out odd);
                high = Add(high, even, odd, weights + token);
            }

            low.Store(output + part);
            high.Store(output + part + Lanes);
        }
    }
}
