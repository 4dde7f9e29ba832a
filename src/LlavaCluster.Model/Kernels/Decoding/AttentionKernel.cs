using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace LlavaCluster.Model.Kernels.Decoding;

/// <summary>
/// Attention of query heads that share a key head, over a sequence's blocks: scores, softmax, weighted sum, each over the context in order. Sums are float32. A block of
/// keys lies with its tokens side by side, so that a vector holds the scores of 16 tokens and nothing is added up across lanes; four queries share what is
/// loaded. A query's result is the same, bit for bit, alone or with three others, and whatever follows it in the sequence.
///
/// <code>
/// keys of a block and head:     [headDim / 2][16 tokens][2] in bfloat16, [headDim][16 tokens] in float32
/// values of a block and head:   [16 tokens][headDim]
/// </code>
/// </summary>
/// <param name="headDim">A multiple of <see cref="Products.ProductKernel.InputMultiple"/>.</param>
/// <param name="blockStride">Elements from a block to the next.</param>
internal sealed unsafe class AttentionKernel<TElement, T>(int headDim, nint blockStride)
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    /// <summary>Tokens of a block.</summary>
    public const int BlockSize = 16;

    /// <summary>Queries that one call takes at most.</summary>
    public const int MostQueries = 4;

    private const int Slice = 64; // of a head's dimensions: four queries' sums in 16 registers
    private readonly float _scale = 1 / MathF.Sqrt(headDim);

    /// <summary>Floats of scratch for a context of so many tokens.</summary>
    public static long ScratchFloats(int context) => (long)MostQueries * Padded(context);

    /// <param name="queries">Where 1 to 4 query heads lie, rotated, [headDim] each.</param>
    /// <param name="contexts">Tokens that each of them sees; the longest is last.</param>
    /// <param name="keys">The layer's cache at this key head, block 0; likewise <paramref name="values"/>.</param>
    /// <param name="blocks">The sequence's blocks, as many as the longest context needs.</param>
    /// <param name="scratch">Of this thread.</param>
    /// <param name="output">[queries, headDim].</param>
    public void Attend(ReadOnlySpan<nint> queries, ReadOnlySpan<int> contexts, T* keys, T* values, ReadOnlySpan<long> blocks, float* scratch, float* output)
    {
        var padded = Padded(contexts[^1]);
        if (queries.Length == MostQueries)
        {
            ScoreFour(queries, keys, blocks, padded, scratch);
        }
        else
        {
            for (var i = 0; i < queries.Length; i++)
            {
                ScoreOne((float*)queries[i], keys, blocks, padded, scratch + (i * padded));
            }
        }

        for (var i = 0; i < queries.Length; i++)
        {
            Softmax(scratch + (i * padded), contexts[i], padded);
        }

        for (var slice = 0; slice < headDim; slice += Slice)
        {
            var width = Math.Min(Slice, headDim - slice);
            if (queries.Length == MostQueries && width == Slice)
            {
                MixFour(values + slice, blocks, contexts[^1], scratch, padded, output + slice);
                continue;
            }

            for (var i = 0; i < queries.Length; i++)
            {
                MixOne(values + slice, blocks, contexts[^1], width, scratch + (i * padded), output + (i * headDim) + slice);
            }
        }
    }

    /// <summary>Puts one token's key and value of one head where <see cref="Attend"/> looks for them.</summary>
    /// <param name="slot">Block id * <see cref="BlockSize"/> + the token's place in the block.</param>
    public void Write(float* key, float* value, T* keys, T* values, long slot)
    {
        var (block, token) = ((nint)(slot / BlockSize) * blockStride, (int)(slot % BlockSize));
        for (var i = 0; i < headDim; i++)
        {
            keys[block + TElement.Interleaved(i, token)] = TElement.Round(key[i]);
        }

        RowKernels.Store<TElement, T>(value, values + block + (token * headDim), headDim);
    }

    private static int Padded(int context) => (context + BlockSize - 1) / BlockSize * BlockSize;

    private void ScoreFour(ReadOnlySpan<nint> queries, T* keys, ReadOnlySpan<long> blocks, int padded, float* scores)
    {
        float* first = (float*)queries[0], second = (float*)queries[1], third = (float*)queries[2], fourth = (float*)queries[3];
        var scale = Vector512.Create(_scale);
        for (var block = 0; block * BlockSize < padded; block++)
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
            (a * scale).Store(at);
            (b * scale).Store(at + padded);
            (c * scale).Store(at + (2 * padded));
            (d * scale).Store(at + (3 * padded));
        }
    }

    private void ScoreOne(float* query, T* keys, ReadOnlySpan<long> blocks, int padded, float* scores)
    {
        for (var block = 0; block * BlockSize < padded; block++)
        {
            var key = keys + ((nint)blocks[block] * blockStride);
            var sum = Vector512<float>.Zero;
            for (var i = 0; i < headDim; i += 2)
            {
                TElement.LoadPairs(key + (i * BlockSize), out var even, out var odd);
                sum = Add(sum, even, odd, query + i);
            }

            (sum * Vector512.Create(_scale)).Store(scores + (block * BlockSize));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Add(Vector512<float> sum, Vector512<float> even, Vector512<float> odd, float* query) =>
        Vector512.FusedMultiplyAdd(odd, Vector512.Create(query[1]), Vector512.FusedMultiplyAdd(even, Vector512.Create(query[0]), sum));

    // What lies behind the context may be anything, and gets the weight 0.
    private static void Softmax(float* scores, int context, int padded)
    {
        new Span<float>(scores + context, padded - context).Fill(float.NegativeInfinity);
        var end = Padded(context);
        var highest = Vector512.Load(scores);
        for (var i = BlockSize; i < end; i += BlockSize)
        {
            highest = Vector512.Max(highest, Vector512.Load(scores + i));
        }

        var most = highest[0];
        for (var lane = 1; lane < BlockSize; lane++)
        {
            most = MathF.Max(most, highest[lane]);
        }

        highest = Vector512.Create(most);
        var totals = Vector512<float>.Zero;
        for (var i = 0; i < end; i += BlockSize)
        {
            var weight = Vector512.Exp(Vector512.Load(scores + i) - highest);
            totals += weight;
            weight.Store(scores + i);
        }

        var scale = Vector512.Create(1 / Vector512.Sum(totals));
        for (var i = 0; i < end; i += BlockSize)
        {
            (Vector512.Load(scores + i) * scale).Store(scores + i);
        }

        new Span<float>(scores + end, padded - end).Clear();
    }

    private void MixFour(T* values, ReadOnlySpan<long> blocks, int context, float* weights, int padded, float* output)
    {
        Vector512<float> a0 = default, a1 = default, a2 = default, a3 = default, b0 = default, b1 = default, b2 = default, b3 = default;
        Vector512<float> c0 = default, c1 = default, c2 = default, c3 = default, d0 = default, d1 = default, d2 = default, d3 = default;
        for (var token = 0; token < context; token++)
        {
            var value = values + ((nint)blocks[token / BlockSize] * blockStride) + (token % BlockSize * headDim);
            var (v0, v1, v2, v3) = (TElement.Load(value), TElement.Load(value + 16), TElement.Load(value + 32), TElement.Load(value + 48));
            var weight = Vector512.Create(weights[token]);
            (a0, a1, a2, a3) = (Vector512.FusedMultiplyAdd(v0, weight, a0), Vector512.FusedMultiplyAdd(v1, weight, a1), Vector512.FusedMultiplyAdd(v2, weight, a2), Vector512.FusedMultiplyAdd(v3, weight, a3));
            weight = Vector512.Create(weights[token + padded]);
            (b0, b1, b2, b3) = (Vector512.FusedMultiplyAdd(v0, weight, b0), Vector512.FusedMultiplyAdd(v1, weight, b1), Vector512.FusedMultiplyAdd(v2, weight, b2), Vector512.FusedMultiplyAdd(v3, weight, b3));
            weight = Vector512.Create(weights[token + (2 * padded)]);
            (c0, c1, c2, c3) = (Vector512.FusedMultiplyAdd(v0, weight, c0), Vector512.FusedMultiplyAdd(v1, weight, c1), Vector512.FusedMultiplyAdd(v2, weight, c2), Vector512.FusedMultiplyAdd(v3, weight, c3));
            weight = Vector512.Create(weights[token + (3 * padded)]);
            (d0, d1, d2, d3) = (Vector512.FusedMultiplyAdd(v0, weight, d0), Vector512.FusedMultiplyAdd(v1, weight, d1), Vector512.FusedMultiplyAdd(v2, weight, d2), Vector512.FusedMultiplyAdd(v3, weight, d3));
        }

        Store(output, a0, a1, a2, a3);
        Store(output + headDim, b0, b1, b2, b3);
        Store(output + (2 * headDim), c0, c1, c2, c3);
        Store(output + (3 * headDim), d0, d1, d2, d3);
    }

    private static void Store(float* to, Vector512<float> first, Vector512<float> second, Vector512<float> third, Vector512<float> fourth)
    {
        first.Store(to);
        second.Store(to + 16);
        third.Store(to + 32);
        fourth.Store(to + 48);
    }

    private void MixOne(T* values, ReadOnlySpan<long> blocks, int context, int width, float* weights, float* output)
    {
        for (var part = 0; part < width; part += 32)
        {
            var (low, high) = (Vector512<float>.Zero, Vector512<float>.Zero);
            for (var token = 0; token < context; token++)
            {
                var value = values + ((nint)blocks[token / BlockSize] * blockStride) + (token % BlockSize * headDim) + part;
                var weight = Vector512.Create(weights[token]);
                low = Vector512.FusedMultiplyAdd(TElement.Load(value), weight, low);
                high = Vector512.FusedMultiplyAdd(TElement.Load(value + 16), weight, high);
            }

            low.Store(output + part);
            high.Store(output + part + 16);
        }
    }
}
