using System.Globalization;
using System.Text;
using LlavaCluster.Engine.Constraints.Automata;

namespace LlavaCluster.Engine.Constraints.Regex;

/// <summary>
/// Reads the regular part of the common regex syntax, the one whose matching takes linear time (as RE2): literals, <c>.</c> (anything but
/// a line terminator), classes <c>[a-z]</c> <c>[^a-z]</c>, <c>\d \w \s \D \W \S</c> (those of <see cref="RegexClasses"/>), <c>\t \n \r \f \v \0 \xHH \uHHHH</c>, escaped punctuation,
/// groups <c>( )</c> <c>(?: )</c>, <c>|</c>, <c>* + ?</c> <c>{m} {m,} {m,n}</c> (also with <c>?</c> behind, which does not change what is
/// matched), and <c>^</c> <c>$</c> at the ends of the branches of the whole pattern. Everything else is refused with its position.
/// </summary>
internal sealed class RegexParser
{
    private readonly string _pattern;
    private readonly Func<CodePointSet, GrammarNode> _encode;
    private int _at;
    private int _depth;

    private RegexParser(string pattern, Func<CodePointSet, GrammarNode> encode)
    {
        _pattern = pattern;
        _encode = encode;
    }

    /// <summary>Reads a pattern as its branches with their anchors.</summary>
    /// <param name="pattern">The pattern.</param>
    /// <param name="encode">Writes a set of characters as bytes of the text the pattern is about.</param>
    /// <exception cref="ConstraintSyntaxException">It is not a pattern, or beyond the supported syntax.</exception>
    public static IReadOnlyList<RegexBranch> Parse(string pattern, Func<CodePointSet, GrammarNode> encode)
    {
        if (pattern.Length > ConstraintLimits.MaxPatternCharacters)
        {
            throw new ConstraintSyntaxException($"a pattern must have at most {ConstraintLimits.MaxPatternCharacters} characters; was {pattern.Length}");
        }

        return new RegexParser(pattern, encode).ParsePattern();
    }

    private List<RegexBranch> ParsePattern()
    {
        var branches = new List<RegexBranch>();
        do
        {
            var fromStart = Take('^');
            var body = ParseSequence();
            branches.Add(new RegexBranch(body, fromStart, Take('$')));
        }
        while (Take('|'));
        return _at == _pattern.Length ? branches : throw Refused($"unexpected '{_pattern[_at]}'", _at);
    }

    private GrammarNode ParseGroup()
    {
        if (++_depth > ConstraintLimits.MaxPatternDepth)
        {
            throw Refused($"groups nest deeper than {ConstraintLimits.MaxPatternDepth}", _at);
        }

        var start = _at - 1;
        if (Take('?') && !Take(':'))
        {
            throw Refused("only (?: is supported of the groups that begin with (?", start);
        }

        var branches = new List<GrammarNode>();
        do
        {
            branches.Add(ParseSequence());
        }
        while (Take('|'));
        _depth--;
        return Take(')') ? GrammarNode.AnyOf(branches) : _at == _pattern.Length ? throw Refused("'(' is not closed", start) : throw Refused($"unexpected '{_pattern[_at]}'", _at);
    }

    private GrammarNode ParseSequence()
    {
        var parts = new List<GrammarNode>();
        while (_at < _pattern.Length && _pattern[_at] is not ('|' or ')' or '$' or '^'))
        {
            parts.Add(ParseRepeats(ParseAtom()));
        }

        return parts.Count == 1 ? parts[0] : GrammarNode.Join([.. parts]);
    }

    private GrammarNode ParseAtom()
    {
        var start = _at;
        var rune = Next();
        return rune.Value switch
        {
            '(' => ParseGroup(),
            '[' => _encode(ParseClass(start)),
            '.' => _encode(RegexClasses.AnyOnALine),
            '\\' => _encode(ParseEscape(start)),
            '*' or '+' or '?' or '{' => throw Refused($"'{rune}' repeats nothing (write \\{rune} for the character)", start),
            _ => _encode(RegexClasses.One(rune.Value)),
        };
    }

    private GrammarNode ParseRepeats(GrammarNode body)
    {
        var start = _at;
        if (_at == _pattern.Length || _pattern[_at] is not ('*' or '+' or '?' or '{'))
        {
            return body;
        }

        var (min, max) = _pattern[_at++] switch
        {
            '*' => (0, (int?)null),
            '+' => (1, null),
            '?' => (0, 1),
            _ => ParseBounds(start),
        };
        Take('?');
        return _at < _pattern.Length && _pattern[_at] is '*' or '+' or '?' or '{'
            ? throw Refused("a repetition cannot be repeated; group it", _at)
            : new GrammarNode.Repeat(body, min, max);
    }

    private (int Min, int? Max) ParseBounds(int start)
    {
        var min = ParseCount(start);
        var max = !Take(',') ? min : _at < _pattern.Length && _pattern[_at] == '}' ? (int?)null : ParseCount(start);
        if (!Take('}'))
        {
            throw Refused("'{' begins no {m}, {m,} or {m,n} (write \\{ for the character)", start);
        }

        return max < min ? throw Refused($"{{m,n}} must have m <= n; was {{{min},{max}}}", start) : (min, max);
    }

    private int ParseCount(int start)
    {
        var first = _at;
        while (_at < _pattern.Length && char.IsAsciiDigit(_pattern[_at]))
        {
            _at++;
        }

        if (first == _at)
        {
            throw Refused("'{' begins no {m}, {m,} or {m,n} (write \\{ for the character)", start);
        }

        return int.TryParse(_pattern.AsSpan(first, _at - first), NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count <= ConstraintLimits.MaxRepeat
            ? count
            : throw Refused($"a repetition must be <= {ConstraintLimits.MaxRepeat}; was {_pattern[first.._at]}", start);
    }

    private CodePointSet ParseClass(int start)
    {
        var isNegated = Take('^');
        var members = new List<CodePointSet>();
        do
        {
            members.Add(ParseMember(start));
        }
        while (!Take(']'));

        var set = CodePointSet.Of(members.SelectMany(member => member.Ranges));
        return isNegated ? set.Complement() : set;
    }

    private CodePointSet ParseMember(int start)
    {
        if (_at == _pattern.Length)
        {
            throw Refused("'[' is not closed", start);
        }

        var at = _at;
        var rune = Next();
        if (rune.Value == '[' && _at < _pattern.Length && _pattern[_at] is ':' or '.' or '=')
        {
            throw Refused("POSIX classes are not supported", at);
        }

        return RangeFrom(rune.Value == '\\' ? ParseEscape(at) : RegexClasses.One(rune.Value), at);
    }

    // Reads on if a range begins with this member. A '-' before the closing bracket is a member itself.
    private CodePointSet RangeFrom(CodePointSet first, int at)
    {
        if (_at + 1 >= _pattern.Length || _pattern[_at] != '-' || _pattern[_at + 1] == ']')
        {
            return first;
        }

        _at++;
        var lastAt = _at;
        var rune = Next();
        var last = rune.Value == '\\' ? ParseEscape(lastAt) : RegexClasses.One(rune.Value);
        if (!RegexClasses.IsOne(first) || !RegexClasses.IsOne(last) || last.Ranges[0].Low < first.Ranges[0].Low)
        {
            throw Refused("a range must go from a character to a later one", at);
        }

        return CodePointSet.Of((first.Ranges[0].Low, last.Ranges[0].Low));
    }

    private CodePointSet ParseEscape(int start)
    {
        if (_at == _pattern.Length)
        {
            throw Refused("'\\' escapes nothing", start);
        }

        var rune = Next();
        var known = RegexClasses.OfEscape(rune.Value);
        if (known is not null)
        {
            return known;
        }

        return rune.Value switch
        {
            'x' => ParseHex(2, start),
            'u' => ParseHex(4, start),
            < 128 when !char.IsAsciiLetterOrDigit((char)rune.Value) => RegexClasses.One(rune.Value),
            _ => throw Refused($"'\\{rune}' is not supported", start),
        };
    }

    private CodePointSet ParseHex(int digits, int start)
    {
        if (_at + digits <= _pattern.Length && int.TryParse(_pattern.AsSpan(_at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value) && Rune.IsValid(value))
        {
            _at += digits;
            return RegexClasses.One(value);
        }

        throw Refused($"{digits} hexadecimal digits of a character (no surrogate) must follow", start);
    }

    private Rune Next()
    {
        if (Rune.DecodeFromUtf16(_pattern.AsSpan(_at), out var rune, out var used) != System.Buffers.OperationStatus.Done)
        {
            throw Refused("a lone surrogate is no character", _at);
        }

        _at += used;
        return rune;
    }

    private bool Take(char character)
    {
        if (_at == _pattern.Length || _pattern[_at] != character)
        {
            return false;
        }

        _at++;
        return true;
    }

    private static ConstraintSyntaxException Refused(string reason, int position) => new($"{reason}, at position {position}");
}

/// <summary>One branch of a whole pattern.</summary>
/// <param name="Body">What it matches.</param>
/// <param name="FromStart">Whether it begins with ^.</param>
/// <param name="ToEnd">Whether it ends with $.</param>
internal sealed record RegexBranch(GrammarNode Body, bool FromStart, bool ToEnd);
