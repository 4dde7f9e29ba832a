using LlavaCluster.Training.Scenes;

namespace LlavaCluster.Training.Tuning;

/// <summary>
/// Which samples each step takes: a pure function of seed and step, so that an interrupted run, and a run of any number of participants, sees the same ones. An epoch takes
/// each sample once; its last batch may be smaller. Whole numbers only; thread-safe.
/// </summary>
public sealed class SamplePlan
{
    private const ulong OrderPurpose = 1, HeldOutPurpose = 2;

    private readonly int _batch;
    private readonly ulong _seed;
    private readonly IReadOnlyList<int>? _lengths;
    private readonly bool _grouped;
    private volatile EpochOrder? _latest;

    /// <param name="samples">At least 1.</param>
    /// <param name="batch">Samples of a step.</param>
    /// <param name="lengths">Words of each sample, negative for one without a picture, so that participants get shares of like length; null where they are all alike.</param>
    /// <param name="grouped">Whether a step's samples are alike in length, too; needs the lengths.</param>
    public SamplePlan(int samples, int batch, int epochs, int seed, IReadOnlyList<int>? lengths = null, bool grouped = false)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(samples);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(batch);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(epochs);
        if (lengths is not null && lengths.Count != samples)
        {
            throw new ArgumentException($"lengths must have one entry for each of the {samples} samples; had {lengths.Count}.", nameof(lengths));
        }

        if (grouped && lengths is null)
        {
            throw new ArgumentNullException(nameof(lengths), "A grouped plan needs the samples' lengths.");
        }

        (Samples, _batch, _seed, _lengths, _grouped) = (samples, batch, (ulong)seed, lengths, grouped);
        StepsPerEpoch = ((samples - 1) / batch) + 1;
        TotalSteps = (long)StepsPerEpoch * epochs;
    }

    public int Samples { get; }

    public int StepsPerEpoch { get; }

    public long TotalSteps { get; }

    /// <summary>
    /// The samples of a step, from 0; the share of participant <paramref name="rank"/> of <paramref name="size"/>. The shares of all are the batch, whatever the size. They are dealt from the
    /// longest on, to and fro, because a step takes as long as its longest share.
    /// </summary>
    public int[] Share(long step, int rank = 0, int size = 1)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(step, TotalSteps);
        ArgumentOutOfRangeException.ThrowIfNegative(rank);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(rank, size);
        var order = Order(step / StepsPerEpoch);
        var first = (int)(step % StepsPerEpoch) * _batch;
        var batch = order[first..Math.Min(first + _batch, Samples)];
        if (size == 1)
        {
            return batch;
        }

        int[] dealt = _lengths is { } lengths
            ? [.. Enumerable.Range(0, batch.Length).OrderByDescending(at => lengths[batch[at]] >= 0).ThenByDescending(at => Math.Abs((long)lengths[batch[at]])).ThenBy(at => at)]
            : [.. Enumerable.Range(0, batch.Length)];
        int[] mine = [.. Enumerable.Range(0, ShareCount(step, rank, size)).Select(round => dealt[(round * size) + (IsForth(round) ? rank : size - 1 - rank)])];
        return [.. mine.Order().Select(at => batch[at])];

        // The last round may have samples for the first participants only.
        bool IsForth(int round) => round % 2 == 0 || (round + 1) * size > batch.Length;
    }

    /// <summary>How many samples <see cref="Share"/> gives.</summary>
    public int ShareCount(long step, int rank, int size)
    {
        var batch = Math.Min(_batch, Samples - (((int)(step % StepsPerEpoch)) * _batch));
        return batch <= rank ? 0 : ((batch - rank - 1) / size) + 1;
    }

    /// <summary>Splits samples into those to train on and those held out; both in rising order.</summary>
    public static (int[] Training, int[] HeldOut) Split(int samples, int heldOut, int seed)
    {
        if (heldOut < 0 || heldOut >= samples)
        {
            throw new ArgumentOutOfRangeException(nameof(heldOut), heldOut, $"held_out must leave samples to train on: at least 0 and below {samples}.");
        }

        var order = Shuffled(samples, SceneRandom.For((ulong)seed, HeldOutPurpose));
        return ([.. order[heldOut..].Order()], [.. order[..heldOut].Order()]);
    }

    private int[] Order(long epoch)
    {
        if (_latest is { } latest && latest.Epoch == epoch)
        {
            return latest.Samples;
        }

        var random = SceneRandom.For(_seed, OrderPurpose, (ulong)epoch);
        var made = _grouped ? Grouped(_lengths!, random) : Shuffled(Samples, random);
        _latest = new EpochOrder(epoch, made);
        return made;
    }

    // haotian-liu/LLaVA, llava/train/llava_trainer.py, get_modality_length_grouped_indices: whole batches of one kind, the longest sample first, in random order; the
    // two kinds' last batches, which are not whole, come mixed at the end.
    private int[] Grouped(IReadOnlyList<int> lengths, SceneRandom random)
    {
        int[][] kinds = [[.. Enumerable.Range(0, lengths.Count).Where(i => lengths[i] >= 0)], [.. Enumerable.Range(0, lengths.Count).Where(i => lengths[i] < 0)]];
        var (whole, last) = (new List<int[]>(), new List<int>());
        foreach (var kind in kinds)
        {
            random.Shuffle(kind);
            foreach (var batch in kind.Chunk(_batch))
            {
                if (batch.Length == _batch)
                {
                    whole.Add([.. batch.OrderByDescending(i => Math.Abs((long)lengths[i])).ThenBy(i => i)]);
                }
                else
                {
                    last.AddRange(batch);
                }
            }
        }

        random.Shuffle(whole);
        return [.. whole.SelectMany(batch => batch), .. last.OrderByDescending(i => Math.Abs((long)lengths[i])).ThenBy(i => i)];
    }

    private static int[] Shuffled(int count, SceneRandom random)
    {
        var order = Enumerable.Range(0, count).ToArray();
        random.Shuffle(order);
        return order;
    }

    private sealed record EpochOrder(long Epoch, int[] Samples);
}
