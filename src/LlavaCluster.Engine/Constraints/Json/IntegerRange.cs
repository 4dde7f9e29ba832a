using System.Globalization;
using LlavaCluster.Engine.Constraints.Automata;

namespace LlavaCluster.Engine.Constraints.Json;

/// <summary>The decimal integers of a range, without leading zeros and without -0.</summary>
internal static class IntegerRange
{
    private const long Largest = 999_999_999_999_999_999;

    /// <summary>Both ends are inclusive; null, or beyond 18 digits, is the largest that 18 digits write.</summary>
    public static GrammarNode Build(decimal? minimum, decimal? maximum)
    {
        var low = (long)Math.Max(-Largest, minimum ?? -Largest);
        var high = (long)Math.Min(Largest, maximum ?? Largest);
        var branches = new List<GrammarNode>();
        if (low < 0)
        {
            branches.Add(GrammarNode.Join(GrammarNode.Text("-"), Positive(Math.Max(1, -high), -low)));
        }

        if (low <= 0 && high >= 0)
        {
            branches.Add(GrammarNode.Text("0"));
        }

        if (high > 0)
        {
            branches.Add(Positive(Math.Max(1, low), high));
        }

        return low > high ? GrammarNode.Never : GrammarNode.AnyOf(branches);
    }

    private static GrammarNode Positive(long low, long high)
    {
        var branches = new List<GrammarNode>();
        for (long first = 1; first <= high && first <= Largest; first *= 10)
        {
            var last = (first * 10) - 1;
            if (last >= low)
            {
                branches.Add(SameLength(Text(Math.Max(low, first)), Text(Math.Min(high, last))));
            }
        }

        return GrammarNode.AnyOf(branches);
    }

    // From the first digit on: equal to the lower end's, strictly between, or equal to the upper end's.
    private static GrammarNode SameLength(ReadOnlySpan<char> low, ReadOnlySpan<char> high)
    {
        if (!low.ContainsAnyExcept('0') && !high.ContainsAnyExcept('9'))
        {
            return Digits('0', '9', low.Length);
        }

        if (low[0] == high[0])
        {
            return GrammarNode.Join(Digits(low[0], low[0], 1), SameLength(low[1..], high[1..]));
        }

        var rest = low.Length - 1;
        var branches = new List<GrammarNode>
        {
            GrammarNode.Join(Digits(low[0], low[0], 1), SameLength(low[1..], new string('9', rest))),
            GrammarNode.Join(Digits(high[0], high[0], 1), SameLength(new string('0', rest), high[1..])),
        };
        if (low[0] + 1 < high[0])
        {
            branches.Add(GrammarNode.Join(Digits((char)(low[0] + 1), (char)(high[0] - 1), 1), Digits('0', '9', rest)));
        }

        return GrammarNode.AnyOf(branches);
    }

    private static GrammarNode.Repeat Digits(char low, char high, int count) => new(new GrammarNode.Bytes((byte)low, (byte)high), count, count);

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);
}
