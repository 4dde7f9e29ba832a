using System.Collections.Immutable;
using System.Text;

namespace LlavaCluster.Engine.Constraints.Automata;

/// <summary>A set of byte strings, as an expression over the rules of a <see cref="Grammar"/>.</summary>
internal abstract class GrammarNode
{
    private GrammarNode()
    {
    }

    /// <summary>The empty text.</summary>
    public static GrammarNode Empty { get; } = new Sequence([]);

    /// <summary>No text at all.</summary>
    public static GrammarNode Never { get; } = new Choice([]);

    public static GrammarNode Text(string text) => new Sequence([.. Encoding.UTF8.GetBytes(text).Select(value => new Bytes(value, value))]);

    public static GrammarNode Join(params ReadOnlySpan<GrammarNode> parts) => new Sequence([.. parts]);

    public static GrammarNode AnyOf(params IEnumerable<GrammarNode> branches) => new Choice([.. branches]);

    public static GrammarNode Optional(GrammarNode body) => new Repeat(body, 0, 1);

    public static GrammarNode Many(GrammarNode body) => new Repeat(body, 0, null);

    /// <summary>One byte from Low to High.</summary>
    public sealed class Bytes(byte low, byte high) : GrammarNode
    {
        public byte Low { get; } = low;

        public byte High { get; } = high;
    }

    public sealed class Sequence(ImmutableArray<GrammarNode> parts) : GrammarNode
    {
        public ImmutableArray<GrammarNode> Parts { get; } = parts;
    }

    public sealed class Choice(ImmutableArray<GrammarNode> branches) : GrammarNode
    {
        public ImmutableArray<GrammarNode> Branches { get; } = branches;
    }

    /// <summary>The body Min to Max times; Max null has no end.</summary>
    public sealed class Repeat(GrammarNode body, int min, int? max) : GrammarNode
    {
        public GrammarNode Body { get; } = body;

        public int Min { get; } = min;

        public int? Max { get; } = max;
    }

    /// <summary>Whatever a rule of the grammar says.</summary>
    public sealed class Call(int rule) : GrammarNode
    {
        public int Rule { get; } = rule;
    }
}
