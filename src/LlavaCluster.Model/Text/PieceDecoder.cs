using System.Text;

namespace LlavaCluster.Model.Text;

/// <summary>
/// Turns pieces into text one by one, as SentencePiece's DecodePieces does on all of them: U+2581 is a space, byte pieces are UTF-8 whose invalid bytes become
/// U+FFFD each. Holds back an unfinished character. Its state is a function of the ids so far.
/// </summary>
internal sealed class PieceDecoder(PieceTokenizer tokenizer, bool stripsFirstSpace)
{
    private readonly byte[] _held = new byte[4];
    private int _heldCount;
    private bool _strips = stripsFirstSpace;

    public void Append(int id, StringBuilder text)
    {
        var (utf8, isText) = tokenizer.Shown(id);
        if (utf8.IsEmpty)
        {
            return;
        }

        var shown = utf8.Span;
        foreach (var unit in _strips && isText && shown[0] == (byte)' ' ? shown[1..] : shown)
        {
            _held[_heldCount++] = unit;
            Release(text, all: false);
        }

        _strips = false;
    }

    /// <summary>No more bytes will come: what is held is not a character.</summary>
    public void Flush(StringBuilder text) => Release(text, all: true);

    private void Release(StringBuilder text, bool all)
    {
        var start = 0;
        while (start < _heldCount)
        {
            var status = Rune.DecodeFromUtf8(_held.AsSpan(start, _heldCount - start), out var rune, out var used);
            if (status == System.Buffers.OperationStatus.NeedMoreData && !all)
            {
                break;
            }

            if (status == System.Buffers.OperationStatus.Done)
            {
                text.Append(rune.ToString());
                start += used;
            }
            else
            {
                text.Append('\uFFFD');
                start++;
            }
        }

        _held.AsSpan(start, _heldCount - start).CopyTo(_held);
        _heldCount -= start;
    }
}
