using System.Buffers;
using System.Text;

namespace LlavaCluster.Engine.Constraints.Automata;

/// <summary>Writes sets of characters as byte expressions: the UTF-8 encodings of their members and nothing else.</summary>
internal static class Utf8
{
    // Last scalar value of each encoded length (RFC 3629, section 3).
    private static readonly int[] LastOfLength = [0x7F, 0x7FF, 0xFFFF, 0x10FFFF];

    /// <summary>Whether a text has no lone surrogates.</summary>
    public static bool IsWellFormed(ReadOnlySpan<char> text)
    {
        while (!text.IsEmpty)
        {
            if (Rune.DecodeFromUtf16(text, out _, out var used) != OperationStatus.Done)
            {
                return false;
            }

            text = text[used..];
        }

        return true;
    }

    public static GrammarNode Encode(CodePointSet set)
    {
        var branches = new List<GrammarNode>();
        foreach (var (low, high) in set.Ranges)
        {
            var first = 0;
            for (var length = 1; length <= LastOfLength.Length; length++)
            {
                var last = LastOfLength[length - 1];
                if (Math.Max(low, first) <= Math.Min(high, last))
                {
                    Split(Math.Max(low, first), Math.Min(high, last), length, branches);
                }

                first = last + 1;
            }
        }

        return branches.Count == 1 ? branches[0] : GrammarNode.AnyOf(branches);
    }

    // Cuts a range until each byte of its encodings varies by itself, then the bytes' ranges in a row describe it.
    private static void Split(int low, int high, int length, List<GrammarNode> branches)
    {
        for (var tail = 1; tail < length; tail++)
        {
            var mask = (1 << (6 * tail)) - 1;
            if ((low & ~mask) == (high & ~mask))
            {
                continue;
            }

            var cut = (low & mask) != 0 ? (low | mask) + 1 : (high & mask) != mask ? high & ~mask : low;
            if (cut > low)
            {
                Split(low, cut - 1, length, branches);
                Split(cut, high, length, branches);
                return;
            }
        }

        var parts = new GrammarNode[length];
        for (var index = 0; index < length; index++)
        {
            parts[index] = new GrammarNode.Bytes(ByteAt(low, index, length), ByteAt(high, index, length));
        }

        branches.Add(GrammarNode.Join(parts));
    }

    private static byte ByteAt(int value, int index, int length)
    {
        if (length == 1)
        {
            return (byte)value;
        }

        var bits = value >> (6 * (length - 1 - index));
        var lead = (0xF00 >> length) & 0xFF;
        return (byte)(index == 0 ? lead | bits : 0x80 | (bits & 0x3F));
    }
}
