namespace LlavaCluster.Engine.Caching;

/// <summary>
/// Which projected image features lie on the device, by slot number. An entry is reserved when its encoding begins, arriving in the step that completes it,
/// ready once it has been computed, referenced by every sequence that is still to read it, and evicted (least recently released first) only when room is needed.
/// The budget counts feature tokens of all entries. It knows nothing of tensors. One thread.
/// </summary>
internal sealed class ImageFeatureCache(int budgetTokens)
{
    private readonly Dictionary<CacheKey, Entry> _entries = [];
    private readonly List<Entry?> _slots = [];
    private readonly Stack<int> _freeSlots = [];
    private readonly LinkedList<Entry> _unreferenced = [];
    private readonly List<int> _dropped = [];
    private int _evictableTokens;

    public int BudgetTokens => budgetTokens;

    public int UsedTokens { get; private set; }

    public int Count => _entries.Count;

    /// <summary>Sum of all references; 0 when no sequence needs an image.</summary>
    public int References { get; private set; }

    /// <summary>Whether there is an entry, be it only reserved.</summary>
    public bool Contains(CacheKey key) => _entries.ContainsKey(key);

    /// <summary>Whether <see cref="TryAcquire"/> would find it.</summary>
    public bool IsReadable(CacheKey key) => _entries.TryGetValue(key, out var entry) && entry.Readable;

    /// <summary>Adds a reference to an entry that is there, computed or about to be in this very step.</summary>
    public bool TryAcquire(CacheKey key, out int slot)
    {
        if (!_entries.TryGetValue(key, out var entry) || !entry.Readable)
        {
            slot = -1;
            return false;
        }

        slot = entry.Slot;
        if (entry.Node is not null)
        {
            _unreferenced.Remove(entry.Node);
            entry.Node = null;
            _evictableTokens -= entry.Tokens;
        }

        entry.References++;
        References++;
        return true;
    }

    /// <summary>Makes room and an entry, whose features must be computed before it is acquired; false, with no change, where there is no room.</summary>
    /// <param name="owner">The tenant whose erasure removes it.</param>
    public bool TryReserve(CacheKey key, int tokens, string owner, out int slot)
    {
        slot = -1;
        if (UsedTokens - _evictableTokens + tokens > budgetTokens)
        {
            return false;
        }

        while (UsedTokens + tokens > budgetTokens)
        {
            Drop(_unreferenced.First!.Value);
        }

        if (!_freeSlots.TryPop(out slot))
        {
            slot = _slots.Count;
            _slots.Add(null);
        }

        var entry = new Entry(key, slot, tokens, owner);
        _slots[slot] = entry;
        _entries.Add(key, entry);
        UsedTokens += tokens;
        return true;
    }

    /// <summary>The current step computes the features: what it plans from here on may read them.</summary>
    public void MarkArriving(int slot) => At(slot).Readable = true;

    /// <summary>The features were computed: from now on the entry may outlive its references.</summary>
    public void MarkReady(int slot)
    {
        var entry = At(slot);
        entry.Ready = entry.Readable = true;
        Settle(entry);
    }

    /// <summary>The features could not be computed: nobody finds the entry again, and it goes with its last reference.</summary>
    public void MarkFailed(int slot)
    {
        var entry = At(slot);
        Hide(entry);
        Settle(entry);
    }

    public void Release(int slot)
    {
        var entry = At(slot);
        if (entry.References == 0)
        {
            throw new InvalidOperationException($"Image slot {slot} was released more often than it was acquired.");
        }

        entry.References--;
        References--;
        Settle(entry);
    }

    /// <summary>Makes an entry unfindable, if it is there; it goes at once or with its last reference.</summary>
    public void Remove(CacheKey key)
    {
        if (_entries.TryGetValue(key, out var entry))
        {
            Remove(entry);
        }
    }

    /// <summary>Makes every entry of this tenant unfindable; each goes at once or with its last reference. Returns how many there were.</summary>
    public int RemoveOwnedBy(string owner)
    {
        var removed = 0;
        for (var slot = 0; slot < _slots.Count; slot++)
        {
            var entry = _slots[slot];
            if (entry is { Hidden: false } && entry.Owner == owner)
            {
                removed++;
                Remove(entry);
            }
        }

        return removed;
    }

    /// <summary>Moves the slots that were dropped since the last call into <paramref name="slots"/>: their device memory is to be freed before the next encoding.</summary>
    public void TakeDropped(List<int> slots)
    {
        slots.AddRange(_dropped);
        _dropped.Clear();
    }

    private Entry At(int slot) => _slots[slot] ?? throw new InvalidOperationException($"Image slot {slot} is not in use.");

    private void Remove(Entry entry)
    {
        Hide(entry);
        if (entry.Node is not null)
        {
            Drop(entry);
        }
    }

    private void Hide(Entry entry)
    {
        if (!entry.Hidden)
        {
            _entries.Remove(entry.Key);
            entry.Hidden = true;
        }
    }

    private void Settle(Entry entry)
    {
        if (entry.References > 0)
        {
            return;
        }

        if (entry.Hidden)
        {
            Drop(entry);
        }
        else if (entry.Ready && entry.Node is null)
        {
            // An entry whose encoding goes on, or is in this step's plan, must not be evicted: only ready ones are.
            entry.Node = _unreferenced.AddLast(entry);
            _evictableTokens += entry.Tokens;
        }
    }

    private void Drop(Entry entry)
    {
        if (entry.Node is not null)
        {
            _unreferenced.Remove(entry.Node);
            entry.Node = null;
            _evictableTokens -= entry.Tokens;
        }

        Hide(entry);
        _slots[entry.Slot] = null;
        _freeSlots.Push(entry.Slot);
        _dropped.Add(entry.Slot);
        UsedTokens -= entry.Tokens;
    }

    private sealed class Entry(CacheKey key, int slot, int tokens, string owner)
    {
        public CacheKey Key => key;

        public int Slot => slot;

        public int Tokens => tokens;

        public string Owner => owner;

        public int References { get; set; }

        public bool Readable { get; set; }

        public bool Ready { get; set; }

        public bool Hidden { get; set; }

        public LinkedListNode<Entry>? Node { get; set; }
    }
}
