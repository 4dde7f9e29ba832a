using System.Numerics;

namespace LlavaCluster.Model.Kernels.Decoding;

/// <summary>
/// Attention of one query row's heads that share a key head, over a sequence's blocks: scores, softmax, weighted sum, each over the context in order. Keys and values
/// are bfloat16, sums float32. A key is read once for all heads that share it.
/// </summary>
/// <param name="headDim">A multiple of <see cref="Products.ProductKernel.InputMultiple"/>.</param>
/// <param name="shared">Query heads per key head.</param>
/// <param name="tokenStride">Elements from a token's key to the next token's of the same block.</param>
internal sealed unsafe class AttentionKernel(int headDim, int shared, int blockSize, nint tokenStride)
{
    private readonly float _scale = 1 / MathF.Sqrt(headDim);

    /// <summary>Floats of scratch for a context of so many tokens: scores of every shared head, and the queries in the keys' order.</summary>
    public long ScratchFloats(int context) => ((long)shared * context) + ((long)shared * headDim * 2);

    /// <param name="queries">[shared, headDim], rotated.</param>
    /// <param name="keys">The layer's cache at this key head, block 0, token 0; likewise <paramref name="values"/>.</param>
    /// <param name="blocks">The sequence's blocks, as many as the context needs.</param>
    /// <param name="output">[shared, headDim], bfloat16.</param>
    public void Attend(float* queries, ushort* keys, ushort* values, ReadOnlySpan<long> blocks, int context, float* scratch, ushort* output)
    {
        var split = scratch; // [shared, headDim], evens and odds of each vector apart, as keys are read
        var sums = split + (shared * headDim);
        var scores = sums + (shared * headDim); // [shared, context]
        SplitQueries(queries, split);
        Score(split, keys, blocks, context, scores);
        new Span<float>(sums, shared * headDim).Clear();
        for (var head = 0; head < shared; head++)
        {
            Softmax(scores + ((long)head * context), context);
        }

        Mix(values, blocks, context, scores, sums);
        for (var i = 0; i < shared * headDim; i += Vector<ushort>.Count)
        {
            Join(sums + i, output + i);
        }
    }

    private void SplitQueries(float* queries, float* split)
    {
        var width = Vector<float>.Count;
        for (var i = 0; i < shared * headDim; i += 2 * width)
        {
            for (var k = 0; k < width; k++)
            {
                split[i + k] = queries[i + (2 * k)] * _scale;
                split[i + width + k] = queries[i + (2 * k) + 1] * _scale;
            }
        }
    }

    private void Score(float* split, ushort* keys, ReadOnlySpan<long> blocks, int context, float* scores)
    {
        for (var token = 0; token < context; token++)
        {
            var key = keys + (((blocks[token / blockSize] * blockSize) + (token % blockSize)) * tokenStride);
            for (var head = 0; head < shared; head++)
            {
                var query = split + (head * headDim);
                var sum = Vector<float>.Zero;
                for (var i = 0; i < headDim; i += Vector<ushort>.Count)
                {
                    var (even, odd) = RowKernels.Split(key + i);
                    sum = Vector.FusedMultiplyAdd(even, Vector.Load(query + i), sum);
                    sum = Vector.FusedMultiplyAdd(odd, Vector.Load(query + i + Vector<float>.Count), sum);
                }

                scores[((long)head * context) + token] = Vector.Sum(sum);
            }
        }
    }

    private static void Softmax(float* scores, int count)
    {
        var most = float.NegativeInfinity;
        for (var i = 0; i < count; i++)
        {
            most = MathF.Max(most, scores[i]);
        }

        var (total, at) = (0f, 0);
        var highest = new Vector<float>(most);
        var totals = Vector<float>.Zero;
        for (; at + Vector<float>.Count <= count; at += Vector<float>.Count)
        {
            var weight = Vector.Exp(Vector.Load(scores + at) - highest);
            totals += weight;
            weight.Store(scores + at);
        }

        for (; at < count; at++)
        {
            total += scores[at] = MathF.Exp(scores[at] - most);
        }

        var scale = 1 / (total + Vector.Sum(totals));
        for (var i = 0; i < count; i++)
        {
            scores[i] *= scale;
        }
    }

    private void Mix(ushort* values, ReadOnlySpan<long> blocks, int context, float* scores, float* sums)
    {
        for (var token = 0; token < context; token++)
        {
            var value = values + (((blocks[token / blockSize] * blockSize) + (token % blockSize)) * tokenStride);
            for (var head = 0; head < shared; head++)
            {
                var weight = new Vector<float>(scores[((long)head * context) + token]);
                var sum = sums + (head * headDim);
                for (var i = 0; i < headDim; i += Vector<ushort>.Count)
                {
                    var (even, odd) = RowKernels.Split(value + i);
                    Vector.FusedMultiplyAdd(even, weight, Vector.Load(sum + i)).Store(sum + i);
                    Vector.FusedMultiplyAdd(odd, weight, Vector.Load(sum + i + Vector<float>.Count)).Store(sum + i + Vector<float>.Count);
                }
            }
        }
    }

    // Sums keep evens and odds apart; pairs go back together, rounded.
    private static void Join(float* sums, ushort* output)
    {
        var width = Vector<float>.Count;
        var joined = stackalloc float[Vector<ushort>.Count];
        for (var k = 0; k < width; k++)
        {
            (joined[2 * k], joined[(2 * k) + 1]) = (sums[k], sums[width + k]);
        }

        RowKernels.Round(joined, output, Vector<ushort>.Count);
    }
}
