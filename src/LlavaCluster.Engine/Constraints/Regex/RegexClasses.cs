using LlavaCluster.Engine.Constraints.Automata;

namespace LlavaCluster.Engine.Constraints.Regex;

/// <summary>The named character sets of patterns. \d, \w and \s are ASCII, as in RE2 and in ECMAScript without the u flag.</summary>
internal static class RegexClasses
{
    private static readonly CodePointSet Digits = CodePointSet.Of(('0', '9'));

    private static readonly CodePointSet WordCharacters = CodePointSet.Of(('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z'));

    private static readonly CodePointSet Spaces = CodePointSet.Of(('\t', '\r'), (' ', ' '));

    public static CodePointSet AnyButNewline { get; } = One('\n').Complement();

    public static CodePointSet One(int codePoint) => CodePointSet.Of((codePoint, codePoint));

    public static bool IsOne(CodePointSet set) => set.Ranges.Count == 1 && set.Ranges[0].Low == set.Ranges[0].High;

    /// <summary>What a letter or digit means behind a backslash, or null.</summary>
    public static CodePointSet? OfEscape(int letter) => letter switch
    {
        'd' => Digits,
        'D' => Digits.Complement(),
        'w' => WordCharacters,
        'W' => WordCharacters.Complement(),
        's' => Spaces,
        'S' => Spaces.Complement(),
        't' => One('\t'),
        'n' => One('\n'),
        'r' => One('\r'),
        'f' => One('\f'),
        'v' => One('\v'),
        '0' => One(0),
        _ => null,
    };
}
