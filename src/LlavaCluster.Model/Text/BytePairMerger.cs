using System.Text;

namespace LlavaCluster.Model.Text;

/// <summary>
/// SentencePiece's BPE: characters are merged pairwise, best score first and leftmost among equals, until no pair is a piece (bpe_model.cc).
/// Microsoft.ML.Tokenizers' own implementation breaks ties to the right, which tokenises runs such as "---" or indentation differently. Thread-safe.
/// </summary>
internal sealed class BytePairMerger
{
    private readonly SentencePieceFile _file;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _ids;
    private readonly int[] _bytes = new int[256];
    private readonly int _unknown;

    public BytePairMerger(SentencePieceFile file)
    {
        _file = file;
        var ids = new Dictionary<string, int>(file.Pieces.Length, StringComparer.Ordinal);
        for (var id = 0; id < file.Pieces.Length; id++)
        {
            var piece = file.Pieces[id];
            if (piece.Kind is SentencePieceKind.Normal or SentencePieceKind.UserDefined)
            {
                ids.TryAdd(piece.Text, id);
            }
            else if (piece.Kind == SentencePieceKind.Byte)
            {
                _bytes[Convert.ToByte(piece.Text[3..5], 16)] = id; // "<0x0A>"
            }
            else if (piece.Kind == SentencePieceKind.Unknown)
            {
                _unknown = id;
            }
        }

        _ids = ids.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>Appends the pieces of <paramref name="text"/>, in which spaces are already U+2581, with the range of characters of each.</summary>
    public void Encode(string text, List<(int Id, int Start, int Length)> pieces)
    {
        var symbols = Split(text);
        var agenda = new PriorityQueue<(int Left, int Right, int Length), (float Score, int Left)>(BestThenLeftmost.Instance);
        for (var i = 0; i + 1 < symbols.Length; i++)
        {
            Offer(text, symbols, agenda, i, i + 1);
        }

        while (agenda.TryDequeue(out var pair, out _))
        {
            // A symbol that was merged in the meantime makes the pair stale.
            if (symbols[pair.Left].Length == 0 || symbols[pair.Right].Length == 0 || symbols[pair.Left].Length + symbols[pair.Right].Length != pair.Length)
            {
                continue;
            }

            Merge(symbols, pair.Left, pair.Right);
            Offer(text, symbols, agenda, symbols[pair.Left].Previous, pair.Left);
            Offer(text, symbols, agenda, pair.Left, symbols[pair.Left].Next);
        }

        for (var i = symbols.Length == 0 ? -1 : 0; i >= 0; i = symbols[i].Next)
        {
            Append(text, symbols[i], pieces);
        }
    }

    private static Symbol[] Split(string text)
    {
        var symbols = new List<Symbol>(text.Length);
        for (var start = 0; start < text.Length;)
        {
            var length = char.IsHighSurrogate(text[start]) && start + 1 < text.Length && char.IsLowSurrogate(text[start + 1]) ? 2 : 1;
            symbols.Add(new Symbol(start, length, symbols.Count - 1, symbols.Count + 1));
            start += length;
        }

        if (symbols.Count > 0)
        {
            symbols[^1] = symbols[^1] with { Next = -1 };
        }

        return [.. symbols];
    }

    private void Offer(string text, Symbol[] symbols, PriorityQueue<(int, int, int), (float, int)> agenda, int left, int right)
    {
        if (left < 0 || right < 0)
        {
            return;
        }

        var length = symbols[left].Length + symbols[right].Length;
        if (Score(text.AsSpan(symbols[left].Start, length), symbols[left].Length) is { } score)
        {
            agenda.Enqueue((left, right, length), (score, left));
        }
    }

    // Null where the two parts of the pair do not merge. A file with a list of merges (tokenizer.json) allows those and no others, the earliest first.
    private float? Score(ReadOnlySpan<char> pair, int leftLength)
    {
        if (_file.Merges is not { } merges)
        {
            return _ids.TryGetValue(pair, out var id) ? _file.Pieces[id].Score : null;
        }

        return _ids.TryGetValue(pair[..leftLength], out var left) && _ids.TryGetValue(pair[leftLength..], out var right) && merges.TryGetValue((left, right), out var rank) ? -rank : null;
    }

    private static void Merge(Symbol[] symbols, int left, int right)
    {
        var next = symbols[right].Next;
        symbols[left] = symbols[left] with { Length = symbols[left].Length + symbols[right].Length, Next = next };
        symbols[right] = symbols[right] with { Length = 0 };
        if (next >= 0)
        {
            symbols[next] = symbols[next] with { Previous = left };
        }
    }

    private void Append(string text, Symbol symbol, List<(int Id, int Start, int Length)> pieces)
    {
        var characters = text.AsSpan(symbol.Start, symbol.Length);
        if (_ids.TryGetValue(characters, out var id))
        {
            pieces.Add((id, symbol.Start, symbol.Length));
        }
        else if (!_file.ByteFallback)
        {
            pieces.Add((_unknown, symbol.Start, symbol.Length));
        }
        else
        {
            // Only the first byte covers the character, so that ranges do not overlap. A lone surrogate becomes U+FFFD.
            Span<byte> utf8 = stackalloc byte[8];
            var count = Encoding.UTF8.GetBytes(characters, utf8);
            for (var i = 0; i < count; i++)
            {
                pieces.Add((_bytes[utf8[i]], symbol.Start + (i == 0 ? 0 : symbol.Length), i == 0 ? symbol.Length : 0));
            }
        }
    }

    /// <summary>A run of characters; length 0 after it was merged into its left neighbour. Neighbours by index, -1 for none.</summary>
    private readonly record struct Symbol(int Start, int Length, int Previous, int Next);

    private sealed class BestThenLeftmost : IComparer<(float Score, int Left)>
    {
        public static readonly BestThenLeftmost Instance = new();

        public int Compare((float Score, int Left) x, (float Score, int Left) y)
        {
            var byScore = y.Score.CompareTo(x.Score);
            return byScore != 0 ? byScore : x.Left.CompareTo(y.Left);
        }
    }
}
