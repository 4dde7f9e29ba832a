using LlavaCluster.Engine.Caching;

namespace LlavaCluster.Engine.Scheduling;

internal sealed partial class Scheduler
{
    // Prompt blocks that a running sequence is about to compute: a waiting one that needs the same block waits for it instead of computing it again.
    private readonly Dictionary<CacheKey, Sequence> _computing = [];

    private enum Admission
    {
        Admitted,

        /// <summary>Waits for an image or for a prefix that another sequence computes; those behind it may pass.</summary>
        PassedOver,

        /// <summary>Waits for KV blocks; nobody may pass, or a long prompt would starve.</summary>
        Blocked,
    }

    private void Admit()
    {
        Waiting.BeginScan();
        while (_tokensLeft > 0 && TokensBeside > 0 && _running.Count < options.MaxRunningSequences && Waiting.Next() is { } candidate)
        {
            if (TryAdmit(candidate) == Admission.Blocked)
            {
                return;
            }
        }
    }

    private Admission TryAdmit(Sequence sequence)
    {
        if (sequence.Paused)
        {
            return Admission.PassedOver;
        }

        var size = options.BlockSize;
        // At least one token is always computed, for its logits: a prompt that is cached to the end recomputes its last block.
        var known = sequence.Keys.First((sequence.Length - 1) / size, sequence.Tokens, sequence.Images);
        var matched = prefixes.Match(known, sequence.Blocks);
        if (matched < known.Length && _computing.TryGetValue(known[matched], out var owner) && !owner.Paused)
        {
            sequence.Blocks.Clear();
            return Admission.PassedOver;
        }

        var needed = BlocksFor(sequence.Length) - matched;
        var spare = _running.Count == 0 ? 0 : options.ReservedBlocks(allocator.Total);
        if (needed + spare > allocator.Available)
        {
            sequence.Blocks.Clear();
            return Admission.Blocked;
        }

        var start = matched * size;
        var window = Math.Min(sequence.Length - start, Math.Min(_tokensLeft, TokensBeside));
        var count = LimitByImages(sequence, start, window);
        if (count < window && NextImage(sequence, start).Slot == ImageSpan.NoSlot)
        {
            sequence.Blocks.Clear();
            return Admission.PassedOver;
        }

        // The whole prompt is taken at once, so that admitting the next one cannot count the same blocks.
        sequence.Blocks.TryGrow(BlocksFor(sequence.Length));
        Waiting.Remove(sequence);
        StartRunning(sequence, matched);
        Schedule(sequence, Math.Min(count, Math.Max(1, TokensBeside)), answers: 0);
        return Admission.Admitted;
    }

    /// <summary>The first image that the sequence still has to read. One that waits for it is not admitted with the words before it: it would take a place from those that can run.</summary>
    private static ImageSpan NextImage(Sequence sequence, int start)
    {
        var next = 0;
        while (sequence.Images[next].End <= start)
        {
            next++;
        }

        return sequence.Images[next];
    }

    private void StartRunning(Sequence sequence, int matched)
    {
        sequence.State = SequenceState.Running;
        sequence.Admission = _admissions++;
        sequence.Computed = matched * options.BlockSize;
        sequence.CachedBlocks = matched;
        sequence.Charged = Math.Max(sequence.Charged, sequence.Computed);
        if (sequence.ReusedTokens < 0)
        {
            sequence.ReusedTokens = Math.Min(sequence.Computed, sequence.PromptTokens);
            PrefixQueries += sequence.PromptTokens;
            PrefixHits += sequence.ReusedTokens;
        }

        var keys = sequence.Keys.First(sequence.Length / options.BlockSize, sequence.Tokens, sequence.Images);
        for (var i = matched; i < keys.Length; i++)
        {
            _computing.TryAdd(keys[i], sequence);
        }

        var at = _running.Count;
        while (at > 0 && _running[at - 1].Priority > sequence.Priority)
        {
            at--;
        }

        _running.Insert(at, sequence);
    }

    private void StopComputing(Sequence sequence)
    {
        var keys = sequence.Keys.First(sequence.Length / options.BlockSize, sequence.Tokens, sequence.Images);
        for (var i = sequence.CachedBlocks; i < keys.Length; i++)
        {
            if (_computing.TryGetValue(keys[i], out var owner) && owner == sequence)
            {
                _computing.Remove(keys[i]);
            }
        }
    }

    /// <summary>
    /// Where a waiting sequence that could run now finds every place or block taken, one running sequence a step makes room: one whose reader
    /// does not read, or the lowest one if it is of a lower class.
    /// </summary>
    private void MakeRoomForUrgent()
    {
        if (_running.Count == 0)
        {
            return;
        }

        Waiting.BeginScan();
        var head = Waiting.Next();
        while (head is not null && !CouldRun(head))
        {
            head = Waiting.Next();
        }

        if (head is null)
        {
            return;
        }

        // Blocks that others hold cost nothing; kept ones are among the available.
        var needed = BlocksFor(head.Length) - prefixes.CountHeld(head.Keys.First((head.Length - 1) / options.BlockSize, head.Tokens, head.Images));
        if (_running.Count < options.MaxRunningSequences && needed + options.ReservedBlocks(allocator.Total) <= allocator.Available)
        {
            return;
        }

        var victim = Victim();
        if (victim.Paused || head.Priority < victim.Priority)
        {
            Preempt(victim);
        }
    }

    private bool CouldRun(Sequence sequence)
    {
        if (sequence.Paused)
        {
            return false;
        }

        foreach (var image in sequence.Images)
        {
            if (!features.IsReadable(image.Key) && (features.Contains(image.Key) || !pixels.IsReady(image.Key)))
            {
                return false;
            }
        }

        return true;
    }
}
