using System.Text;

namespace LlavaCluster.Model.Text;

/// <summary>
/// The text of a sequence of ids as they come: what <see cref="Append"/> and <see cref="Finish"/> return, joined, is the decoding of all. An unfinished character is
/// held back. State is a function of the ids, so a resumed answer replays them. Not thread-safe.
/// </summary>
public sealed class IncrementalDecoder
{
    private readonly PieceDecoder _pieces;
    private readonly TokenizerSettings _settings;
    private readonly bool _keepSpecials;
    private readonly StringBuilder _text = new();

    internal IncrementalDecoder(PieceTokenizer tokenizer, TokenizerSettings settings, bool keepSpecials)
    {
        // A special token that is written out comes first, so that no space of the text's is the dummy prefix.
        _pieces = new PieceDecoder(tokenizer, tokenizer.StripsFirstSpace && !keepSpecials);
        _settings = settings;
        _keepSpecials = keepSpecials;
    }

    /// <summary>The text that this token makes certain; may be empty.</summary>
    public string Append(int id)
    {
        if (!_settings.Names.TryGetValue(id, out var name))
        {
            _pieces.Append(id, _text);
        }
        else if (_keepSpecials)
        {
            _pieces.Flush(_text);
            _text.Append(name);
        }

        return Take();
    }

    /// <summary>What was held back, now that nothing follows.</summary>
    public string Finish()
    {
        _pieces.Flush(_text);
        return Take();
    }

    private string Take()
    {
        var text = _text.ToString();
        _text.Clear();
        return text;
    }
}
