using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using LlavaCluster.Model.Kernels.Machine;

namespace LlavaCluster.Model.Kernels.Attention;

/// <summary>
/// Attention of query heads that share a key head, over a sequence's blocks: scores, softmax, weighted sum, each over the context in order. Sums are float32. A block of
/// keys lies with its tokens side by side, so that a vector holds the scores of 16 tokens and nothing is added up across lanes; queries share what is
/// loaded. A query's result is the same, bit for bit, alone or with others, and whatever follows it in the sequence.
///
/// <code>
/// keys of a block and head:     [headDim / 2][16 tokens][2] in bfloat16, [headDim][16 tokens] in float32
/// values of a block and head:   [8 pairs of tokens][headDim][2] in bfloat16, [16 tokens][headDim] in float32
/// </code>
///
/// In bfloat16 with the instructions for it, queries and weights are rounded to bfloat16 too.
/// </summary>
internal sealed unsafe class AttentionKernel<TElement, T> : IDisposable
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    /// <summary>Tokens of a block.</summary>
    public const int BlockSize = 16;

    /// <summary>Queries that one call takes at most.</summary>
    public const int MostQueries = 6;

    private const int Lanes = 16;
    private readonly int _headDim;
    private readonly nint _blockStride;
    private readonly int _stride; // floats from one query's scores to the next
    private readonly float _scale;
    private readonly PortableAttention<TElement, T> _portable;
    private readonly DotAttention? _dots;

    /// <param name="headDim">A multiple of <see cref="Products.ProductKernel.InputMultiple"/>.</param>
    /// <param name="blockStride">Elements from a block to the next.</param>
    /// <param name="mostContext">Tokens that a query sees at most.</param>
    /// <param name="machine">Whether machine code is used where this processor has it.</param>
    public AttentionKernel(int headDim, nint blockStride, int mostContext, bool machine = true)
    {
        (_headDim, _blockStride, _stride, _scale) = (headDim, blockStride, DotAttention.Padded(mostContext), 1 / MathF.Sqrt(headDim));
        _portable = new PortableAttention<TElement, T>(headDim, blockStride, _stride);
        try
        {
            _dots = machine && HasMachine ? new DotAttention(headDim, blockStride, _stride) : null;
        }
        catch (Win32Exception)
        {
            // A hardened system maps no executable memory; the portable kernels need none.
        }
    }

    /// <summary>Whether this processor has machine code for this type.</summary>
    public static bool HasMachine => typeof(T) == typeof(ushort) && Processor.HasBFloat16;

    /// <summary>Floats of scratch for contexts of at most so many tokens: scores; in bfloat16 weights and queries too.</summary>
    public static long ScratchFloats(int headDim, int mostContext) => MostQueries * ((2L * DotAttention.Padded(mostContext)) + headDim);

    /// <param name="queries">Where 1 to 6 query heads lie, rotated, [headDim] each.</param>
    /// <param name="contexts">Tokens that each of them sees; the longest is last.</param>
    /// <param name="keys">The layer's cache at this key head, block 0; likewise <paramref name="values"/>.</param>
    /// <param name="blocks">The sequence's blocks, as many as the longest context needs.</param>
    /// <param name="scratch">Of this thread.</param>
    /// <param name="output">[queries, headDim].</param>
    public void Attend(ReadOnlySpan<nint> queries, ReadOnlySpan<int> contexts, T* keys, T* values, ReadOnlySpan<long> blocks, float* scratch, float* output)
    {
        var padded = DotAttention.Padded(contexts[^1]);
        if (_dots is null)
        {
            _portable.Score(queries, keys, blocks[..Blocks(contexts[^1])], scratch);
            for (var i = 0; i < queries.Length; i++)
            {
                var scores = scratch + ((nint)i * _stride);
                RowKernels.Store<Float32Element, float>(scores, scores, padded, Weigh(scores, contexts[i], padded));
            }

            _portable.Mix(queries.Length, scratch, contexts[^1], values, blocks, output);
            return;
        }

        var weights = (ushort*)(scratch + ((nint)MostQueries * _stride));
        var rows = weights + ((nint)MostQueries * _stride);
        for (var i = 0; i < queries.Length; i++)
        {
            RowKernels.Store<BFloat16Element, ushort>((float*)queries[i], rows + (i * _headDim), _headDim);
        }

        _dots.Score(queries.Length, rows, (ushort*)keys, blocks[..Blocks(contexts[^1])], scratch);
        for (var i = 0; i < queries.Length; i++)
        {
            var scores = scratch + ((nint)i * _stride);
            RowKernels.Store<BFloat16Element, ushort>(scores, weights + ((nint)i * _stride), padded, Weigh(scores, contexts[i], padded));
        }

        _dots.Mix(queries.Length, weights, contexts[^1], (ushort*)values, blocks, output);
    }

    /// <summary>Puts one token's key and value of one head where <see cref="Attend"/> looks for them.</summary>
    /// <param name="slot">Block id * <see cref="BlockSize"/> + the token's place in the block.</param>
    /// <param name="isLast">Whether no token comes right behind it now: what lies there gets a weight of 0, and must be a number.</param>
    public void Write(float* key, float* value, T* keys, T* values, long slot, bool isLast)
    {
        var (block, token) = ((nint)(slot / BlockSize) * _blockStride, (int)(slot % BlockSize));
        TElement.StoreKey(key, keys + block, token, _headDim);
        TElement.StoreValue(value, values + block, token, _headDim, isLast);
    }

    public void Dispose() => _dots?.Dispose();

    private static int Blocks(int context) => (context + BlockSize - 1) / BlockSize;

    /// <summary>Softmax but for its last step: what each weight is to be multiplied with.</summary>
    /// <param name="scores">[padded], not scaled yet; weights afterwards. What lies behind the context may be anything, and gets the weight 0.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private float Weigh(float* scores, int context, int padded)
    {
        var (end, last) = ((context + Lanes - 1) / Lanes * Lanes, (context - 1) / Lanes * Lanes);
        var isSeen = Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(context - last)).AsSingle();
        Vector512.ConditionalSelect(isSeen, Vector512.Load(scores + last), Vector512.Create(float.NegativeInfinity)).Store(scores + last);
        var highest = Vector512.Load(scores);
        for (var i = Lanes; i < end; i += Lanes)
        {
            highest = Vector512.MaxNative(highest, Vector512.Load(scores + i));
        }

        highest = Vector512.Create(Highest(highest));
        var totals = Vector512<float>.Zero;
        for (var i = 0; i < end; i += Lanes)
        {
            var weight = Exponential.Of((Vector512.Load(scores + i) - highest) * Vector512.Create(_scale));
            totals += weight;
            weight.Store(scores + i);
        }

        for (var i = end; i < padded; i += Lanes)
        {
            Vector512<float>.Zero.Store(scores + i);
        }

        return 1 / Vector512.Sum(totals);
    }

    // One that is not a number may be passed over here: its own weight will be none, and so will the sum and every weight.
    private static float Highest(Vector512<float> values)
    {
        var eight = Vector256.MaxNative(values.GetLower(), values.GetUpper());
        var four = Vector128.MaxNative(eight.GetLower(), eight.GetUpper());
        return MathF.Max(MathF.Max(four[0], four[1]), MathF.Max(four[2], four[3]));
    }
}
