using System.Text;
using System.Text.Json;
using LlavaCluster.Engine.Constraints;
using LlavaCluster.Engine.Constraints.Vocabulary;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Text;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Engine.Tests.Constraints.Vocabulary;

/// <summary>The contract of <see cref="TokenVocabulary"/> against the tokenizers of the reference checkpoints.</summary>
public sealed class TokenVocabularyTests
{
    public static TheoryData<string> Checkpoints() => [.. Goldens.Checkpoints];

    [Theory]
    [MemberData(nameof(Checkpoints))]
    public void BytesOf_ForAnyTokens_JoinToWhatTheDecoderSays(string checkpoint)
    {
        var (codec, vocabulary, _) = Open(checkpoint);
        var random = new Random(3);
        int[] ids = [.. Enumerable.Range(0, vocabulary.Size).Where(id => IsWhole(vocabulary.BytesOf(id, false)))];
        Assert.True(ids.Length > 800);
        for (var round = 0; round < 500; round++)
        {
            int[] answer = [.. Enumerable.Range(0, random.Next(1, 6)).Select(_ => ids[random.Next(ids.Length)])];
            Assert.Equal(codec.Decode(answer), Join(vocabulary, answer));
        }

        foreach (var id in ids)
        {
            Assert.Equal(codec.Decode([id]), Join(vocabulary, [id]));
        }
    }

    [Theory]
    [MemberData(nameof(Checkpoints))]
    public void Allowed_AlongAJsonAnswerOfTheTokenizersOwn_HoldsEveryToken(string checkpoint)
    {
        var (codec, vocabulary, end) = Open(checkpoint);
        const string Answer = """{"name": "a caf\u00e9 \ud83d\udc31 table", "count": 12, "tags": ["red", "blue"], "next": null}""";
        var constraint = Vocabularies.Compile(new ConstraintSpec.JsonObject(), vocabulary).Begin();

        // The tokenizer begins with BOS, which is part of a prompt and of no answer.
        var ids = codec.EncodeTrusted(JsonSerializer.Deserialize<JsonElement>(Answer).GetRawText()).Skip(1).ToArray();
        Assert.All(ids, id => Assert.True(constraint.Advance(id)));
        Assert.Equal([end], Vocabularies.AllowedIds(constraint, vocabulary));
    }

    [Theory]
    [MemberData(nameof(Checkpoints))]
    public void Allowed_ForSpecialAndPaddingRows_IsNeverSet(string checkpoint)
    {
        var (codec, vocabulary, end) = Open(checkpoint);
        var constraint = Vocabularies.Compile(new ConstraintSpec.Pattern("[\\s\\S]*"), vocabulary).Begin();
        for (var step = 0; step < 2; step++)
        {
            var allowed = Vocabularies.AllowedIds(constraint, vocabulary);
            Assert.Contains(end, allowed);
            Assert.DoesNotContain(0, allowed);
            Assert.DoesNotContain(1, allowed);
            Assert.DoesNotContain(codec.ImageTokenId, allowed);
            Assert.All(allowed, id => Assert.True(id < codec.Count));
            Assert.True(constraint.Advance(allowed[^1]));
        }
    }

    private static (TextCodec Codec, TokenVocabulary Vocabulary, int End) Open(string checkpoint)
    {
        var config = LlavaConfigReader.Read(Goldens.Path(checkpoint));
        var codec = TextCodec.Load(Goldens.Path(checkpoint), config);
        return (codec, new TokenVocabulary(TokenText.Of(codec, config.Text.VocabSize), [.. config.EosTokenIds]), config.EosTokenIds[0]);
    }

    private static string Join(TokenVocabulary vocabulary, int[] answer) =>
        Encoding.UTF8.GetString([.. answer.SelectMany((id, index) => vocabulary.BytesOf(id, index == 0).ToArray())]);

    // Single bytes of longer characters are joined by neighbours; the decoder's treatment of broken ones is tested with it.
    private static bool IsWhole(ReadOnlySpan<byte> bytes) => bytes.Length > 0 && System.Text.Unicode.Utf8.IsValid(bytes);
}
