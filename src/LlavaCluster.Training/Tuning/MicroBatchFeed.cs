using LlavaCluster.Training.Data;
using LlavaCluster.Training.Data.Conversations;

namespace LlavaCluster.Training.Tuning;

/// <summary>A participant's micro-batches in the order of the plan, read, decoded and tokenised ahead on pool threads. For one thread.</summary>
/// <param name="samples">Which of the data set's samples the plan's are.</param>
internal sealed class MicroBatchFeed(ConversationDataset data, int[] samples, SamplePlan plan, int microBatch) : IDisposable
{
    private const int Ahead = 4;
    private const int RoundTo = 64;

    private OrderedPrefetcher<MicroBatch?>? _prefetcher;
    private (int Rank, int Size) _share;
    private long _next;

    /// <summary>Micro-batches of a participant in a step.</summary>
    public int Count(long step, int rank, int size) => (plan.ShareCount(step, rank, size) + microBatch - 1) / microBatch;

    /// <summary>Waits for a micro-batch. Any may be asked for; the next in order is already there.</summary>
    /// <exception cref="InvalidDataException">A record or picture is no longer what it was; it is named.</exception>
    public MicroBatch Take(long step, int index, int rank, int size)
    {
        var place = PlaceOf(step, index, rank, size);
        if (_prefetcher is null || _share != (rank, size) || _next != place)
        {
            _prefetcher?.Dispose();
            _share = (rank, size);
            _prefetcher = new OrderedPrefetcher<MicroBatch?>(at => Prepare(at, rank, size), place, Ahead);
        }

        _next = place + 1;
        return _prefetcher.Next()!;
    }

    /// <summary>Samples of the data set, as one micro-batch.</summary>
    public static MicroBatch Load(ConversationDataset data, IReadOnlyList<int> samples) =>
        new(new TokenBatch([.. samples.Select(data.Load)], data.Encoder.FeaturesPerPicture, data.Encoder.ValuesPerPicture, RoundTo), samples);

    public void Dispose() => _prefetcher?.Dispose();

    private MicroBatch? Prepare(long place, int rank, int size)
    {
        var (perStep, perEpoch) = Lengths(rank, size);
        var (epoch, within) = (place / perEpoch, place % perEpoch);
        var step = perStep == 0 ? plan.StepsPerEpoch - 1 : Math.Min(within / perStep, plan.StepsPerEpoch - 1);
        var index = (int)(within - (step * perStep));
        step += epoch * plan.StepsPerEpoch;
        return step < plan.TotalSteps
            ? Load(data, [.. plan.Share(step, rank, size).Skip(index * microBatch).Take(microBatch).Select(sample => samples[sample])])
            : null; // beyond the run's end
    }

    // Counted over the run: every step of an epoch but the last has equally many.
    private long PlaceOf(long step, int index, int rank, int size)
    {
        var (perStep, perEpoch) = Lengths(rank, size);
        return (step / plan.StepsPerEpoch * perEpoch) + (step % plan.StepsPerEpoch * perStep) + index;
    }

    private (long PerStep, long PerEpoch) Lengths(int rank, int size)
    {
        long whole = plan.StepsPerEpoch > 1 ? Count(0, rank, size) : 0, last = Count(plan.StepsPerEpoch - 1, rank, size);
        return (whole, ((plan.StepsPerEpoch - 1) * whole) + last);
    }
}
