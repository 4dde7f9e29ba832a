using System.Numerics;

namespace LlavaCluster.Model.Kernels.Decoding;

/// <summary>
/// Attention of one query row's heads that share a key head, over a sequence's blocks: scores, softmax, weighted sum, each over the context in order. Sums are
/// float32. A key is read once for all heads that share it.
/// </summary>
/// <param name="headDim">A multiple of <see cref="Products.ProductKernel.InputMultiple"/>.</param>
/// <param name="shared">Query heads per key head.</param>
/// <param name="tokenStride">Elements from a token's key to the next token's of the same block.</param>
internal sealed unsafe class AttentionKernel<TElement, T>(int headDim, int shared, int blockSize, nint tokenStride)
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    private readonly float _scale = 1 / MathF.Sqrt(headDim);

    /// <summary>Floats of scratch for a context of so many tokens: scores of every shared head and their sums.</summary>
    public long ScratchFloats(int context) => ((long)shared * context) + ((long)shared * headDim);

    /// <param name="queries">[shared, headDim], rotated.</param>
    /// <param name="keys">The layer's cache at this key head, block 0, token 0; likewise <paramref name="values"/>.</param>
    /// <param name="blocks">The sequence's blocks, as many as the context needs.</param>
    /// <returns>[shared, headDim], in the scratch.</returns>
    public float* Attend(float* queries, T* keys, T* values, ReadOnlySpan<long> blocks, int context, float* scratch)
    {
        var sums = scratch; // [shared, headDim]
        var scores = sums + (shared * headDim); // [shared, context]
        Score(queries, keys, blocks, context, scores);
        new Span<float>(sums, shared * headDim).Clear();
        for (var head = 0; head < shared; head++)
        {
            Softmax(scores + ((long)head * context), context);
        }

        Mix(values, blocks, context, scores, sums);
        return sums;
    }

    private void Score(float* queries, T* keys, ReadOnlySpan<long> blocks, int context, float* scores)
    {
        for (var token = 0; token < context; token++)
        {
            var key = keys + (((blocks[token / blockSize] * blockSize) + (token % blockSize)) * tokenStride);
            for (var head = 0; head < shared; head++)
            {
                var query = queries + (head * headDim);
                var sum = Vector<float>.Zero;
                for (var i = 0; i < headDim; i += 2 * Vector<float>.Count)
                {
                    TElement.Load(key + i, out var low, out var high);
                    sum = Vector.FusedMultiplyAdd(low, Vector.Load(query + i), sum);
                    sum = Vector.FusedMultiplyAdd(high, Vector.Load(query + i + Vector<float>.Count), sum);
                }

                scores[((long)head * context) + token] = Vector.Sum(sum) * _scale;
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

    private void Mix(T* values, ReadOnlySpan<long> blocks, int context, float* scores, float* sums)
    {
        for (var token = 0; token < context; token++)
        {
            var value = values + (((blocks[token / blockSize] * blockSize) + (token % blockSize)) * tokenStride);
            for (var head = 0; head < shared; head++)
            {
                var weight = new Vector<float>(scores[((long)head * context) + token]);
                var sum = sums + (head * headDim);
                for (var i = 0; i < headDim; i += 2 * Vector<float>.Count)
                {
                    TElement.Load(value + i, out var low, out var high);
                    Vector.FusedMultiplyAdd(low, weight, Vector.Load(sum + i)).Store(sum + i);
                    Vector.FusedMultiplyAdd(high, weight, Vector.Load(sum + i + Vector<float>.Count)).Store(sum + i + Vector<float>.Count);
                }
            }
        }
    }
}
