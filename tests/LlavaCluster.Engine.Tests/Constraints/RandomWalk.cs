using System.Text;
using LlavaCluster.Engine.Constraints;
using LlavaCluster.Engine.Constraints.Vocabulary;

namespace LlavaCluster.Engine.Tests.Constraints;

/// <summary>Draws answers at random through the masks, as a model that knows nothing would, then hurries to an end.</summary>
internal static class RandomWalk
{
    private const int FreeSteps = 40;
    private const int MaxSteps = 3000;

    // What ends a JSON text soonest, tried in this order once the free steps are used up.
    private static readonly string[] Closers = ["\"", "cat", "}", "]", "0", "1", "true"];

    /// <summary>The text of one complete answer. Asserts on the way that the mask is never empty and that what it allows can be taken.</summary>
    public static string Draw(CompiledConstraint compiled, TokenVocabulary vocabulary, int seed)
    {
        var random = new Random(seed);
        var constraint = compiled.Begin();
        var bytes = new List<byte>();
        for (var step = 0; step < MaxSteps; step++)
        {
            var allowed = Vocabularies.AllowedIds(constraint, vocabulary);
            Assert.NotEmpty(allowed);
            var id = step < FreeSteps ? Pick(allowed, random) : Hurry(allowed, vocabulary, random);
            bytes.AddRange(vocabulary.BytesOf(id, step == 0));
            Assert.True(constraint.Advance(id));
            if (id == Vocabularies.End)
            {
                Assert.Empty(Vocabularies.AllowedIds(constraint, vocabulary));
                return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString([.. bytes]);
            }
        }

        throw new InvalidOperationException($"No end after {MaxSteps} tokens: {Encoding.UTF8.GetString([.. bytes])}");
    }

    // Byte pieces outnumber words; both kinds should be seen.
    private static int Pick(int[] allowed, Random random)
    {
        int[] words = [.. allowed.Where(id => id >= Vocabularies.FirstByte + 256)];
        return words.Length > 0 && random.Next(3) > 0 ? words[random.Next(words.Length)] : allowed[random.Next(allowed.Length)];
    }

    private static int Hurry(int[] allowed, TokenVocabulary vocabulary, Random random)
    {
        if (allowed.Contains(Vocabularies.End))
        {
            return Vocabularies.End;
        }

        foreach (var closer in Closers)
        {
            var found = Array.Find(allowed, id => vocabulary.BytesOf(id, false).SequenceEqual(Encoding.UTF8.GetBytes(closer)));
            if (found != 0)
            {
                return found;
            }
        }

        return allowed[random.Next(allowed.Length)];
    }
}
