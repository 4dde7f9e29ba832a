using System.Diagnostics;

namespace LlavaCluster.Engine.Caching;

/// <summary>
/// Reference-counted KV blocks, as plain numbers 0..Total-1. A block is <em>free</em> (content worthless), <em>held</em> (references &gt; 0) or
/// <em>kept</em> (no references, content worth reusing: the least recently released kept block is given out once no free one is left).
/// It knows nothing of tensors, tokens or keys. One thread.
/// </summary>
internal sealed class BlockAllocator
{
    private const int None = -1;

    private readonly int[] _references;
    private readonly bool[] _keep;
    private readonly int[] _free;
    private readonly int[] _older;
    private readonly int[] _newer;
    private int _freeCount;
    private int _oldest = None;
    private int _newest = None;

    public BlockAllocator(int total)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(total, 1);
        _references = new int[total];
        _keep = new bool[total];
        _older = new int[total];
        _newer = new int[total];
        _free = new int[total];
        for (var i = 0; i < total; i++)
        {
            _free[i] = total - 1 - i;
        }

        _freeCount = total;
    }

    /// <summary>Told of a kept block whose content is about to be overwritten.</summary>
    public Action<int>? Evicted { get; set; }

    public int Total => _references.Length;

    public int Kept { get; private set; }

    /// <summary>Blocks that <see cref="TryAllocate"/> can give out now.</summary>
    public int Available => _freeCount + Kept;

    public int Held => Total - Available;

    public int ReferencesOf(int block) => _references[block];

    /// <summary>Gives one block with one reference; false, with no change, where all are held.</summary>
    public bool TryAllocate(out int block)
    {
        if (_freeCount > 0)
        {
            block = _free[--_freeCount];
        }
        else if (_oldest != None)
        {
            block = _oldest;
            Unlink(block);
            _keep[block] = false;
            Evicted?.Invoke(block);
        }
        else
        {
            block = None;
            return false;
        }

        Debug.Assert(_references[block] == 0);
        _references[block] = 1;
        return true;
    }

    /// <summary>Adds a reference to a held or kept block.</summary>
    public void Retain(int block)
    {
        if (_references[block]++ > 0)
        {
            return;
        }

        if (!_keep[block])
        {
            throw new InvalidOperationException($"Block {block} is free; it cannot be retained.");
        }

        Unlink(block);
    }

    public void Release(int block)
    {
        if (_references[block] == 0)
        {
            throw new InvalidOperationException($"Block {block} was released more often than it was retained.");
        }

        if (--_references[block] > 0)
        {
            return;
        }

        if (_keep[block])
        {
            LinkNewest(block);
        }
        else
        {
            _free[_freeCount++] = block;
        }
    }

    /// <summary>From now on the content of this held block outlives its last reference.</summary>
    public void Keep(int block)
    {
        if (_references[block] == 0)
        {
            throw new InvalidOperationException($"Block {block} is not held; only held blocks can be kept.");
        }

        _keep[block] = true;
    }

    /// <summary>The content is worthless: a kept block becomes free, a held one will once it is released. <see cref="Evicted"/> is not told.</summary>
    public void Discard(int block)
    {
        if (!_keep[block])
        {
            return;
        }

        _keep[block] = false;
        if (_references[block] == 0)
        {
            Unlink(block);
            _free[_freeCount++] = block;
        }
    }

    private void LinkNewest(int block)
    {
        _older[block] = _newest;
        _newer[block] = None;
        if (_newest == None)
        {
            _oldest = block;
        }
        else
        {
            _newer[_newest] = block;
        }

        _newest = block;
        Kept++;
    }

    private void Unlink(int block)
    {
        var (older, newer) = (_older[block], _newer[block]);
        if (older == None)
        {
            _oldest = newer;
        }
        else
        {
            _newer[older] = newer;
        }

        if (newer == None)
        {
            _newest = older;
        }
        else
        {
            _older[newer] = older;
        }

        Kept--;
    }
}
