using System.Numerics;

namespace LlavaCluster.Engine.Constraints.Automata;

/// <summary>A set of token ids: bit i % 64 of word i / 64. Shared by all who are in the same state; never changed once made.</summary>
internal sealed class TokenMask
{
    public TokenMask(ulong[] words)
    {
        Words = words;
        var count = 0;
        for (var index = 0; index < words.Length; index++)
        {
            if (count == 0 && words[index] != 0)
            {
                First = (64 * index) + BitOperations.TrailingZeroCount(words[index]);
            }

            count += BitOperations.PopCount(words[index]);
        }

        Count = count;
    }

    public ulong[] Words { get; }

    public int Count { get; }

    /// <summary>The lowest id; 0 when there is none.</summary>
    public int First { get; }

    public bool Contains(int id) => id >= 0 && id / 64 < Words.Length && (Words[id / 64] & (1UL << (id % 64))) != 0;
}
