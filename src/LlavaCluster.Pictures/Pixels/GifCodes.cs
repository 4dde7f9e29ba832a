namespace LlavaCluster.Pictures.Pixels;

/// <summary>GIF's variable-length LZW (GIF89a, appendix F) as a run of colours. Strict: a code that is not defined yet is damage.</summary>
internal ref struct GifCodes
{
    private const int MostBits = 12;
    private const int MostCodes = 1 << MostBits;
    private const int NoCode = -1;

    private readonly byte[] _last = new byte[MostCodes];
    private readonly short[] _before = new short[MostCodes];
    private readonly byte[] _pending = new byte[MostCodes + 1];
    private readonly int _clear;
    private readonly int _start;
    private ReadOnlySpan<byte> _blocks;
    private ReadOnlySpan<byte> _block;
    private uint _bits;
    private int _bitCount;
    private int _size;
    private int _next;
    private int _previous = NoCode;
    private byte _first;
    private int _pendingCount;

    /// <param name="blocks">Sub-blocks, each led by its length.</param>
    public GifCodes(ReadOnlySpan<byte> blocks, int codeSize)
    {
        _blocks = blocks;
        _block = default;
        _clear = 1 << codeSize;
        _start = codeSize + 1;
        Reset();
    }

    /// <summary>Fills <paramref name="colours"/> with the next ones.</summary>
    public PixelFault Read(Span<byte> colours)
    {
        for (var filled = 0; filled < colours.Length;)
        {
            if (_pendingCount > 0)
            {
                colours[filled++] = _pending[--_pendingCount];
                continue;
            }

            var code = NextCode();
            if (code == _clear)
            {
                Reset();
            }
            else if (code == NoCode || code == _clear + 1)
            {
                return PixelFault.CutOff;
            }
            else if (!Expand(code))
            {
                return PixelFault.Damaged;
            }
        }

        return PixelFault.None;
    }

    private void Reset() => (_size, _next, _previous) = (_start, _clear + 2, NoCode);

    /// <summary>Puts the code's colours on the pending ones, the last first, and defines the next code: the previous one's colours and this one's first.</summary>
    private bool Expand(int code)
    {
        if (code > _next || (_previous == NoCode && code >= _clear))
        {
            return false;
        }

        var at = code;
        if (code == _next)
        {
            // A code used while it is being defined ends with the colour it begins with.
            _pending[_pendingCount++] = _first;
            at = _previous;
        }

        while (at >= _clear)
        {
            _pending[_pendingCount++] = _last[at];
            at = _before[at];
        }

        _first = (byte)at;
        _pending[_pendingCount++] = _first;
        if (_previous != NoCode && _next < MostCodes)
        {
            (_last[_next], _before[_next]) = (_first, (short)_previous);
            _size += _next == (1 << _size) - 1 && _size < MostBits ? 1 : 0;
            _next++;
        }

        _previous = code;
        return true;
    }

    private int NextCode()
    {
        while (_bitCount < _size)
        {
            if (_block.IsEmpty)
            {
                if (_blocks.IsEmpty || _blocks[0] == 0 || _blocks[0] >= _blocks.Length)
                {
                    return NoCode;
                }

                _block = _blocks.Slice(1, _blocks[0]);
                _blocks = _blocks[(1 + _block.Length)..];
            }

            _bits |= (uint)_block[0] << _bitCount;
            _bitCount += 8;
            _block = _block[1..];
        }

        var code = (int)(_bits & ((1u << _size) - 1));
        _bits >>= _size;
        _bitCount -= _size;
        return code;
    }
}
