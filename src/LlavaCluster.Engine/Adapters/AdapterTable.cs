namespace LlavaCluster.Engine.Adapters;

/// <summary>
/// Which LoRA adapters lie on the device, by slot number. One that a request has pinned stays; the others are evicted, least recently released first, when another needs their room.
/// Knows nothing of tensors. Members may be called from any thread; slots are made and evicted by the engine's alone, between two steps.
/// </summary>
internal sealed class AdapterTable(long budgetBytes)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<ContentDigest, Entry> _entries = [];
    private readonly List<Entry?> _slots = [];
    private readonly LinkedList<Entry> _unpinned = [];
    private long _bytes, _evictable;

    public long BudgetBytes => budgetBytes;

    /// <summary>Bytes of all adapters.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _entries.Count;
            }
        }
    }

    public bool Contains(ContentDigest digest)
    {
        lock (_gate)
        {
            return _entries.TryGetValue(digest, out var entry) && entry.IsReady;
        }
    }

    /// <summary>Keeps an adapter where it is until the pin is released; null where it is not loaded.</summary>
    public AdapterPin? TryPin(ContentDigest digest)
    {
        lock (_gate)
        {
            if (!_entries.TryGetValue(digest, out var entry) || !entry.IsReady)
            {
                return null;
            }

            if (entry.Node is { } node)
            {
                _unpinned.Remove(node);
                entry.Node = null;
                _evictable -= entry.Bytes;
            }

            entry.Pins++;
            return new AdapterPin(this, entry.Slot, entry.ChangesFeatures);
        }
    }

    /// <summary>Makes room and a slot, which nobody can pin before it is <see cref="Publish">published</see>; false, with no change, where pinned adapters leave too little.</summary>
    /// <param name="evicted">Gets the slots whose adapters have to go from the device.</param>
    public bool TryReserve(ContentDigest digest, long bytes, bool changesFeatures, List<int> evicted, out int slot)
    {
        lock (_gate)
        {
            slot = -1;
            if (_bytes - _evictable + bytes > budgetBytes)
            {
                return false;
            }

            while (_bytes + bytes > budgetBytes)
            {
                var oldest = _unpinned.First!.Value;
                evicted.Add(oldest.Slot);
                Drop(oldest);
            }

            slot = _slots.IndexOf(null);
            if (slot < 0)
            {
                slot = _slots.Count;
                _slots.Add(null);
            }

            var entry = new Entry(digest, slot, bytes, changesFeatures);
            _slots[slot] = entry;
            _entries.Add(digest, entry);
            _bytes += bytes;
            return true;
        }
    }

    /// <summary>The adapter lies on the device: from now on it may be pinned, and evicted.</summary>
    public void Publish(int slot)
    {
        lock (_gate)
        {
            var entry = At(slot);
            entry.IsReady = true;
            Settle(entry);
        }
    }

    /// <summary>Takes a reservation back.</summary>
    public void Forget(int slot)
    {
        lock (_gate)
        {
            Drop(At(slot));
        }
    }

    /// <summary>Removes the adapters that nobody has pinned, but for some.</summary>
    /// <param name="removed">Gets the slots whose adapters have to go from the device.</param>
    public void RemoveUnused(IReadOnlySet<ContentDigest> keep, List<int> removed)
    {
        lock (_gate)
        {
            foreach (var entry in _unpinned.Where(entry => !keep.Contains(entry.Digest)).ToArray())
            {
                removed.Add(entry.Slot);
                Drop(entry);
            }
        }
    }

    /// <summary>For <see cref="AdapterPin"/>, once each.</summary>
    internal void Release(int slot)
    {
        lock (_gate)
        {
            var entry = At(slot);
            if (entry.Pins == 0)
            {
                throw new InvalidOperationException($"Adapter slot {slot} was released more often than it was pinned.");
            }

            entry.Pins--;
            Settle(entry);
        }
    }

    private Entry At(int slot) => _slots[slot] ?? throw new InvalidOperationException($"Adapter slot {slot} is not in use.");

    private void Settle(Entry entry)
    {
        if (entry.Pins == 0)
        {
            entry.Node = _unpinned.AddLast(entry);
            _evictable += entry.Bytes;
        }
    }

    private void Drop(Entry entry)
    {
        if (entry.Node is { } node)
        {
            _unpinned.Remove(node);
            _evictable -= entry.Bytes;
        }

        _entries.Remove(entry.Digest);
        _slots[entry.Slot] = null;
        _bytes -= entry.Bytes;
    }

    private sealed class Entry(ContentDigest digest, int slot, long bytes, bool changesFeatures)
    {
        public ContentDigest Digest => digest;

        public int Slot => slot;

        public long Bytes => bytes;

        public bool ChangesFeatures => changesFeatures;

        public bool IsReady { get; set; }

        public int Pins { get; set; }

        /// <summary>Its place among those that may be evicted.</summary>
        public LinkedListNode<Entry>? Node { get; set; }
    }
}
