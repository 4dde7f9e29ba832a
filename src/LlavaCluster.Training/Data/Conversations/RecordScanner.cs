namespace LlavaCluster.Training.Data.Conversations;

/// <summary>Finds where the elements of a JSON array, or lines, begin and end in bytes that come in pieces.</summary>
/// <param name="found">Gets each one's first byte and the byte after its last, counted from the file's beginning.</param>
internal sealed class RecordScanner(Action<long, long> found)
{
    private static ReadOnlySpan<byte> Mark => [0xEF, 0xBB, 0xBF];

    private long _at;
    private long _start = -1;
    private long _end; // after the last byte that is no space
    private int _depth;
    private int _count;
    private Kind _kind = Kind.Unknown;
    private bool _inText;
    private bool _escaped;

    private enum Kind
    {
        Unknown,
        Array,
        Lines,
        Ended,
        Broken,
    }

    public void Take(ReadOnlySpan<byte> bytes)
    {
        foreach (var value in bytes)
        {
            Take(value);
            _at++;
        }
    }

    /// <summary>Ends the scan; why the file is refused, or null.</summary>
    public string? Finish()
    {
        if (_kind == Kind.Lines)
        {
            Close();
        }

        return _kind switch
        {
            Kind.Unknown => "must be a JSON array or JSON lines; it is empty.",
            Kind.Array => $"ends inside its JSON array, after {_count} whole records.",
            Kind.Broken => $"must hold one JSON array or JSON lines; its array ends before byte {_end}, after {_count} records.",
            _ => null,
        };
    }

    private void Take(byte value)
    {
        if (_kind == Kind.Unknown && !IsSpace(value) && !(_at < Mark.Length && value == Mark[(int)_at]))
        {
            _kind = value == (byte)'[' ? Kind.Array : Kind.Lines;
            if (_kind == Kind.Array)
            {
                return;
            }
        }

        switch (_kind)
        {
            case Kind.Array:
                TakeOfArray(value);
                break;
            case Kind.Lines when value == (byte)'\n':
                Close();
                break;
            case Kind.Lines when !IsSpace(value):
                Open();
                break;
            case Kind.Ended when !IsSpace(value):
                (_kind, _end) = (Kind.Broken, _at);
                break;
        }
    }

    private void TakeOfArray(byte value)
    {
        if (_inText)
        {
            (_inText, _escaped) = (_escaped || value != (byte)'"', !_escaped && value == (byte)'\\');
            _end = _at + 1;
            return;
        }

        switch (value)
        {
            case (byte)',' when _depth == 0:
                Close();
                break;
            case (byte)']' or (byte)'}' when _depth == 0:
                Close();
                _kind = Kind.Ended;
                break;
            case var space when IsSpace(space):
                break;
            default:
                Open();
                _inText = value == (byte)'"';
                _depth += value is (byte)'{' or (byte)'[' ? 1 : value is (byte)'}' or (byte)']' ? -1 : 0;
                break;
        }
    }

    private void Open()
    {
        _start = _start < 0 ? _at : _start;
        _end = _at + 1;
    }

    private void Close()
    {
        if (_start >= 0)
        {
            found(_start, _end);
            _count++;
        }

        _start = -1;
    }

    private static bool IsSpace(byte value) => value is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t';
}
