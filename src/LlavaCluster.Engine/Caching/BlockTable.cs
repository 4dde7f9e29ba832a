namespace LlavaCluster.Engine.Caching;

/// <summary>The KV blocks of one sequence, in the order of its tokens: token t lies in block <c>Blocks[t / blockSize]</c>. Holds one reference to each. One thread.</summary>
internal sealed class BlockTable(BlockAllocator allocator)
{
    private int[] _blocks = [];

    public int Count { get; private set; }

    public ReadOnlySpan<int> Blocks => _blocks.AsSpan(0, Count);

    /// <summary>Extends the table to this many blocks; false, with no change, where there are too few.</summary>
    public bool TryGrow(int count)
    {
        if (count - Count > allocator.Available)
        {
            return false;
        }

        while (Count < count)
        {
            if (!allocator.TryAllocate(out var block))
            {
                throw new InvalidOperationException($"{allocator.Available} blocks were available, yet none was given.");
            }

            Append(block);
        }

        return true;
    }

    /// <summary>Takes over one reference that the caller already holds.</summary>
    public void Adopt(int block) => Append(block);

    /// <summary>Gives every block back, the last first, so that the end of a kept prefix is evicted before its beginning.</summary>
    public void Clear()
    {
        while (Count > 0)
        {
            allocator.Release(_blocks[--Count]);
        }
    }

    private void Append(int block)
    {
        if (Count == _blocks.Length)
        {
            Array.Resize(ref _blocks, Math.Max(8, Count * 2));
        }

        _blocks[Count++] = block;
    }
}
