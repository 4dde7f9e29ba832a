namespace LlavaCluster.Engine.Caching;

/// <summary>
/// Finds full KV blocks by what was computed into them. The key of a block chains the key of the one before it, so a match of block i is a match
/// of all tokens, images, adapter and tenant up to its end. Blocks that nobody holds stay until the allocator needs them. One thread.
/// </summary>
internal sealed class PrefixCache
{
    private readonly BlockAllocator _allocator;
    private readonly Dictionary<CacheKey, int> _blocks = [];
    private readonly CacheKey?[] _keys;
    private readonly string?[] _owners;

    public PrefixCache(BlockAllocator allocator)
    {
        _allocator = allocator;
        _keys = new CacheKey?[allocator.Total];
        _owners = new string?[allocator.Total];
        allocator.Evicted = Forget;
    }

    /// <summary>Blocks that can be found by key.</summary>
    public int Count => _blocks.Count;

    public bool Contains(CacheKey key) => _blocks.ContainsKey(key);

    /// <summary>Appends the longest cached run of <paramref name="keys"/> to an empty table and returns its length in blocks.</summary>
    public int Match(ReadOnlySpan<CacheKey> keys, BlockTable table)
    {
        var matched = 0;
        while (matched < keys.Length && _blocks.TryGetValue(keys[matched], out var block))
        {
            _allocator.Retain(block);
            table.Adopt(block);
            matched++;
        }

        return matched;
    }

    /// <summary>How many blocks of the longest cached run of <paramref name="keys"/> somebody holds.</summary>
    public int CountHeld(ReadOnlySpan<CacheKey> keys)
    {
        var held = 0;
        foreach (var key in keys)
        {
            if (!_blocks.TryGetValue(key, out var block))
            {
                break;
            }

            held += _allocator.ReferencesOf(block) > 0 ? 1 : 0;
        }

        return held;
    }

    /// <summary>Makes a held, fully computed block findable. Where another block already has this key nothing changes.</summary>
    /// <param name="owner">The tenant whose erasure removes it.</param>
    public void Insert(CacheKey key, int block, string owner)
    {
        if (_keys[block] is null && _blocks.TryAdd(key, block))
        {
            _keys[block] = key;
            _owners[block] = owner;
            _allocator.Keep(block);
        }
    }

    /// <summary>Makes every block of this tenant unfindable and gives back those that nobody holds; returns how many there were.</summary>
    public int RemoveOwnedBy(string owner)
    {
        var removed = 0;
        for (var block = 0; block < _owners.Length; block++)
        {
            if (_owners[block] == owner)
            {
                Remove(block);
                removed++;
            }
        }

        return removed;
    }

    /// <summary>Makes the blocks with these keys unfindable, as far as there are any.</summary>
    public void Remove(ReadOnlySpan<CacheKey> keys)
    {
        foreach (var key in keys)
        {
            if (_blocks.TryGetValue(key, out var block))
            {
                Remove(block);
            }
        }
    }

    private void Remove(int block)
    {
        Forget(block);
        _allocator.Discard(block);
    }

    private void Forget(int block)
    {
        if (_keys[block] is { } key)
        {
            _blocks.Remove(key);
            _keys[block] = null;
            _owners[block] = null;
        }
    }
}
