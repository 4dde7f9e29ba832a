namespace LlavaCluster.Engine.Constraints.Automata;

/// <summary>A set of Unicode scalar values, as sorted ranges that neither overlap nor touch. Surrogates are never members.</summary>
internal sealed class CodePointSet
{
    private const int Last = 0x10FFFF;
    private const int FirstSurrogate = 0xD800;
    private const int LastSurrogate = 0xDFFF;

    private CodePointSet(IReadOnlyList<(int Low, int High)> ranges) => Ranges = ranges;

    public static CodePointSet All { get; } = Of((0, Last));

    public IReadOnlyList<(int Low, int High)> Ranges { get; }

    /// <summary>A text that names the set: equal sets have equal keys.</summary>
    public string Key => string.Join(',', Ranges);

    public static CodePointSet Of(params IEnumerable<(int Low, int High)> ranges)
    {
        var merged = new List<(int Low, int High)>();
        foreach (var (low, high) in ranges.SelectMany(WithoutSurrogates).Order())
        {
            if (merged.Count > 0 && low <= merged[^1].High + 1)
            {
                merged[^1] = (merged[^1].Low, Math.Max(high, merged[^1].High));
            }
            else
            {
                merged.Add((low, high));
            }
        }

        return new CodePointSet(merged);
    }

    public CodePointSet Union(CodePointSet other) => Of([.. Ranges, .. other.Ranges]);

    public CodePointSet Complement()
    {
        var gaps = new List<(int, int)>();
        var next = 0;
        foreach (var (low, high) in Ranges)
        {
            if (low > next)
            {
                gaps.Add((next, low - 1));
            }

            next = high + 1;
        }

        if (next <= Last)
        {
            gaps.Add((next, Last));
        }

        return Of(gaps);
    }

    public CodePointSet Except(CodePointSet other) => Complement().Union(other).Complement();

    public CodePointSet Intersect(CodePointSet other) => Except(other.Complement());

    private static IEnumerable<(int Low, int High)> WithoutSurrogates((int Low, int High) range)
    {
        if (range.Low < FirstSurrogate)
        {
            yield return (range.Low, Math.Min(range.High, FirstSurrogate - 1));
        }

        if (range.High > LastSurrogate)
        {
            yield return (Math.Max(range.Low, LastSurrogate + 1), range.High);
        }
    }
}
