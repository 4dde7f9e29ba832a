using LlavaCluster.Model.Kernels;
using LlavaCluster.Model.Kernels.Decoding;

namespace LlavaCluster.Model.Tests.Kernels.Operators;

/// <summary>
/// A load of mixed steps: sequences that come, go through their text in chunks, single tokens, or tokens with guesses behind them that are wrong and forgotten, and give their blocks back
/// to others. Knows every row's whole text, so that a reference can compute it from nothing.
/// </summary>
internal sealed class MixedBatches(Random random, int vocabulary, int blockSize, int blocks)
{
    private readonly Queue<int> _free = new(Enumerable.Range(0, blocks).OrderBy(_ => random.Next()));
    private readonly List<(List<int> Blocks, long[] Text, int Done)> _running = [];

    /// <summary>What a step computed, row by row: the text up to the row's own token.</summary>
    public List<long[]> Rows { get; } = [];

    /// <summary>Fills a step; every row is sampled.</summary>
    public void Next(DecoderStep step, int mostSequences, int mostLength)
    {
        step.Clear();
        Rows.Clear();
        while (_running.Count < mostSequences)
        {
            _running.Add(([], Text(random.Next(1, mostLength)), 0));
        }

        for (var i = 0; i < _running.Count; i++)
        {
            Advance(step, i);
        }

        foreach (var (held, text, done) in _running.ToList())
        {
            if (done == text.Length)
            {
                held.ForEach(_free.Enqueue);
                _running.RemoveAll(sequence => ReferenceEquals(sequence.Text, text));
            }
        }
    }

    private void Advance(DecoderStep step, int index)
    {
        var (held, text, done) = _running[index];
        var left = text.Length - done;
        var (count, guesses) = random.Next(5) switch
        {
            0 => (0, 0),
            1 => (Math.Min(left, random.Next(1, 40)), 0),
            2 => (1, random.Next(1, 9)),
            _ => (1, 0),
        };
        if (count == 0)
        {
            return;
        }

        long[] tokens = [.. text[done..(done + count)], .. Text(guesses)];
        for (var needed = (done + tokens.Length + blockSize - 1) / blockSize; held.Count < needed;)
        {
            held.Add(_free.Dequeue());
        }

        step.Batch.Add([.. held], done, tokens.Length);
        for (var i = 0; i < tokens.Length; i++)
        {
            step.Sampled.Add(step.Ids.Count);
            step.Ids.Add(tokens[i]);
            Rows.Add([.. text[..done], .. tokens[..(i + 1)]]);
        }

        _running[index] = (held, text, done + count);
    }

    private long[] Text(int length) => [.. Enumerable.Range(0, length).Select(_ => (long)random.Next(vocabulary))];
}
