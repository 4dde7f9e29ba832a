using LlavaCluster.Engine.Constraints.Automata;

namespace LlavaCluster.Engine.Constraints.Regex;

/// <summary>The named character sets of patterns, as ECMA-262 has them (22.2.2.9 CompileToCharSet, 12.2 white space, 12.3 line terminators): \d and \w are ASCII, \s is not.</summary>
internal static class RegexClasses
{
    private static readonly CodePointSet Digits = CodePointSet.Of(('0', '9'));

    private static readonly CodePointSet WordCharacters = CodePointSet.Of(('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z'));

    private static readonly CodePointSet LineTerminators = CodePointSet.Of(('\n', '\n'), ('\r', '\r'), ('\u2028', '\u2029'));

    private static readonly CodePointSet Spaces = CodePointSet.Of(
        ('\t', '\r'), (' ', ' '), ('\u00A0', '\u00A0'), ('\u1680', '\u1680'), ('\u2000', '\u200A'), ('\u2028', '\u2029'), ('\u202F', '\u202F'), ('\u205F', '\u205F'), ('\u3000', '\u3000'),
        ('\uFEFF', '\uFEFF'));

    /// <summary>What <c>.</c> means.</summary>
    public static CodePointSet AnyOnALine { get; } = LineTerminators.Complement();

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
