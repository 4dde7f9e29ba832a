namespace LlavaCluster.Engine.Sampling;

/// <summary>
/// The tokens left after temperature, top-k, top-p and min-p, in order of id, each with a weight proportional to its probability (the best
/// has 1). Reused from draw to draw; one thread at a time; allocates nothing after construction.
/// </summary>
/// <remarks>
/// Nothing is sorted as a whole. Top-k keeps a heap of the k best scores. Top-p files weights by the upper bits of their float
/// representation (32 bins per power of two), and only the bin that the boundary falls in is sorted.
/// </remarks>
internal sealed class CandidateSet(int vocabularySize)
{
    private const int BinShift = 18;

    // The largest 1 / temperature used: beyond it every token below the best has weight 0 anyhow.
    private const double MaxScale = 1e30;

    private static readonly int Bins = Bin(1f) + 1;

    private readonly int[] _ids = new int[vocabularySize];
    private readonly float[] _weights = new float[vocabularySize];
    private readonly float[] _heap = new float[vocabularySize];
    private readonly ulong[] _boundary = new ulong[vocabularySize];
    private readonly double[] _binSums = new double[Bins];
    private int _count;

    public ReadOnlySpan<int> Ids => _ids.AsSpan(0, _count);

    public ReadOnlySpan<float> Weights => _weights.AsSpan(0, _count);

    /// <summary>Sum of <see cref="Weights"/>, added in order of id.</summary>
    public double Total { get; private set; }

    /// <param name="scores">[vocabulary], minus infinity where banned.</param>
    /// <param name="max">Their maximum, finite.</param>
    /// <param name="options">Temperature above 0.</param>
    public void Select(ReadOnlySpan<float> scores, float max, SamplingOptions options)
    {
        var lowest = options.TopK > 0 && options.TopK < scores.Length ? LowestOfTop(scores, options.TopK) : float.NegativeInfinity;
        Collect(scores, lowest);
        Total = StableExp.Apply(_weights.AsSpan(0, _count), max, Math.Min(1 / options.Temperature, MaxScale));
        if (options.TopP < 1)
        {
            KeepNucleus(options.TopP);
        }

        if (options.MinP > 0)
        {
            KeepAtLeast((float)options.MinP);
        }
    }

    /// <summary>The candidate drawn with these random numbers.</summary>
    public int Draw(NoiseKey noise) => _ids[ExponentialRace.Winner(Ids, Weights, noise)];

    private static int Bin(float weight) => BitConverter.SingleToInt32Bits(weight) >> BinShift;

    // The k-th highest score. Equal ones all stay, as in Hugging Face's TopKLogitsWarper.
    private float LowestOfTop(ReadOnlySpan<float> scores, int k)
    {
        var heap = _heap.AsSpan(0, k);
        heap.Fill(float.NegativeInfinity);
        foreach (var score in scores)
        {
            if (score > heap[0])
            {
                ReplaceRoot(heap, score);
            }
        }

        return heap[0];
    }

    private static void ReplaceRoot(Span<float> heap, float score)
    {
        var at = 0;
        while (true)
        {
            var child = (2 * at) + 1;
            if (child >= heap.Length)
            {
                break;
            }

            if (child + 1 < heap.Length && heap[child + 1] < heap[child])
            {
                child++;
            }

            if (heap[child] >= score)
            {
                break;
            }

            heap[at] = heap[child];
            at = child;
        }

        heap[at] = score;
    }

    private void Collect(ReadOnlySpan<float> scores, float lowest)
    {
        _count = 0;
        for (var id = 0; id < scores.Length; id++)
        {
            var score = scores[id];
            if (score >= lowest && score != float.NegativeInfinity)
            {
                _ids[_count] = id;
                _weights[_count++] = score;
            }
        }
    }

    // A token stays while the likelier ones before it sum to less than top_p; equal ones rank by id.
    private void KeepNucleus(double topP)
    {
        var limit = topP * Total;
        Array.Clear(_binSums);
        foreach (var weight in Weights)
        {
            _binSums[Bin(weight)] += weight;
        }

        var sum = 0.0;
        var bin = Bins - 1;
        while (bin >= 0 && sum + _binSums[bin] < limit)
        {
            sum += _binSums[bin--];
        }

        if (bin < 0)
        {
            return;
        }

        var last = LastOfBoundary(bin, sum, limit);
        Keep(last);
    }

    // Weights are positive, so their bits sort as they do; inverted above the id they sort best first, then lowest id.
    private ulong LastOfBoundary(int bin, double sum, double limit)
    {
        var found = 0;
        for (var index = 0; index < _count; index++)
        {
            if (Bin(_weights[index]) == bin)
            {
                _boundary[found++] = Rank(index);
            }
        }

        var ranks = _boundary.AsSpan(0, found);
        ranks.Sort();
        var last = 0;
        for (; last < found - 1; last++)
        {
            sum += BitConverter.UInt32BitsToSingle(~(uint)(ranks[last] >> 32));
            if (sum >= limit)
            {
                break;
            }
        }

        return ranks[last];
    }

    private ulong Rank(int index) => ((ulong)~BitConverter.SingleToUInt32Bits(_weights[index]) << 32) | (uint)_ids[index];

    private void Keep(ulong last)
    {
        var kept = 0;
        Total = 0;
        for (var index = 0; index < _count; index++)
        {
            if (Rank(index) <= last)
            {
                Move(index, kept++);
            }
        }

        _count = kept;
    }

    // The best weight is 1 and always a candidate, so a share of the best is the weight itself.
    private void KeepAtLeast(float share)
    {
        var kept = 0;
        Total = 0;
        for (var index = 0; index < _count; index++)
        {
            if (_weights[index] >= share)
            {
                Move(index, kept++);
            }
        }

        _count = kept;
    }

    private void Move(int from, int to)
    {
        _ids[to] = _ids[from];
        _weights[to] = _weights[from];
        Total += _weights[to];
    }
}
