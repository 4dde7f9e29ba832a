namespace LlavaCluster.Engine.Sampling;

/// <summary>
/// The ids one answer has seen: its prompt (image ids as often as they fill places) and what it emitted, as the penalties need
/// them. One per answer, one thread at a time. A resumed answer is rebuilt from the original prompt and the journaled ids.
/// </summary>
internal sealed class SamplingHistory
{
    private readonly Dictionary<int, int> _slots;
    private int[] _ids;
    private int[] _emitted;
    private int _count;

    /// <param name="prompt">The whole input in order. Ids outside the vocabulary (image markers) are counted and never penalised.</param>
    /// <param name="maxTokens">Tokens the answer may still get; room for them is made now, so that <see cref="Append"/> allocates nothing.</param>
    public SamplingHistory(ReadOnlySpan<int> prompt, int maxTokens)
    {
        _slots = new Dictionary<int, int>(prompt.Length + maxTokens);
        foreach (var id in prompt)
        {
            _slots.TryAdd(id, _slots.Count);
        }

        _slots.TrimExcess(_slots.Count + maxTokens);
        _ids = new int[_slots.Count + maxTokens];
        _emitted = new int[_ids.Length];
        _count = _slots.Count;
        foreach (var (id, slot) in _slots)
        {
            _ids[slot] = id;
        }

        PromptCount = prompt.Length;
    }

    public int PromptCount { get; }

    public int EmittedCount { get; private set; }

    /// <summary>Where the next token goes in the whole sequence: the position of its <see cref="NoiseKey"/>.</summary>
    public int Position => PromptCount + EmittedCount;

    /// <summary>Every id seen, once, in order of first sight.</summary>
    public ReadOnlySpan<int> Ids => _ids.AsSpan(0, _count);

    /// <summary>How often the answer holds the id at the same index of <see cref="Ids"/>; 0 where only the prompt does.</summary>
    public ReadOnlySpan<int> EmittedCounts => _emitted.AsSpan(0, _count);

    /// <summary>Counts one emitted token.</summary>
    public void Append(int id)
    {
        if (!_slots.TryGetValue(id, out var slot))
        {
            slot = _count++;
            if (slot == _ids.Length)
            {
                Array.Resize(ref _ids, Math.Max(16, 2 * slot));
                Array.Resize(ref _emitted, _ids.Length);
            }

            _slots.Add(id, slot);
            _ids[slot] = id;
        }

        _emitted[slot]++;
        EmittedCount++;
    }
}
