using System.Collections.Immutable;
using System.Text;

namespace LlavaCluster.Engine.Sampling;

/// <summary>
/// Cuts one answer's text at the first stop text. Text comes in pieces and is released as soon as it cannot belong to a stop text
/// any more; no part of a stop text is ever released. What is released and where it ends depends on the text alone, not on how it was cut
/// into pieces, so a resumed answer is brought back by pushing its text again. One answer, one thread at a time.
/// </summary>
/// <remarks>The stop text that ends first wins; of two that end together, the longer one.</remarks>
internal sealed class StopMatcher
{
    private readonly ImmutableArray<string> _stops;
    private readonly int[][] _borders;
    private readonly int[] _matched;
    private readonly StringBuilder _held = new();

    public StopMatcher(ImmutableArray<string> stops)
    {
        _stops = stops;
        _borders = [.. stops.Select(Borders)];
        _matched = new int[stops.Length];
    }

    /// <summary>The stop text that ended the answer, or null. Its finish reason is "stop".</summary>
    public string? Matched { get; private set; }

    /// <summary>Takes the next piece of the answer. Text after a match is dropped.</summary>
    /// <returns>What may be shown now; often empty.</returns>
    public string Push(ReadOnlySpan<char> text)
    {
        foreach (var character in text)
        {
            if (Matched is not null)
            {
                return "";
            }

            _held.Append(character);
            Step(character);
            if (Matched is not null)
            {
                _held.Length -= Matched.Length;
                return Finish();
            }
        }

        return Matched is null ? Release(_held.Length - Longest()) : "";
    }

    /// <summary>The answer ended for another reason: what was held back is part of it after all.</summary>
    public string Finish() => Release(_held.Length);

    private void Step(char character)
    {
        for (var index = 0; index < _stops.Length; index++)
        {
            var stop = _stops[index];
            var length = _matched[index];
            while (length > 0 && stop[length] != character)
            {
                length = _borders[index][length - 1];
            }

            _matched[index] = stop[length] == character ? length + 1 : 0;
            if (_matched[index] == stop.Length && stop.Length > (Matched?.Length ?? 0))
            {
                Matched = stop;
            }
        }
    }

    private int Longest()
    {
        var longest = 0;
        foreach (var length in _matched)
        {
            longest = Math.Max(longest, length);
        }

        return longest;
    }

    private string Release(int count)
    {
        var text = _held.ToString(0, count);
        _held.Remove(0, count);
        return text;
    }

    // borders[i]: length of the longest proper prefix of stop[..(i + 1)] that is also its suffix (Knuth, Morris and Pratt 1977).
    private static int[] Borders(string stop)
    {
        var borders = new int[stop.Length];
        for (int index = 1, length = 0; index < stop.Length; index++)
        {
            while (length > 0 && stop[length] != stop[index])
            {
                length = borders[length - 1];
            }

            length += stop[length] == stop[index] ? 1 : 0;
            borders[index] = length;
        }

        return borders;
    }
}
