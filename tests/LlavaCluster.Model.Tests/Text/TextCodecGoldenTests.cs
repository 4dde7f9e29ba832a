using System.Text.Json;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Text;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Model.Tests.Text;

/// <summary>Ids and texts against SentencePiece and Hugging Face's slow LlamaTokenizer (tests/goldens, tokenizer_cases.json).</summary>
public sealed class TextCodecGoldenTests
{
    public static TheoryData<string> Checkpoints() => [.. Goldens.Checkpoints];

    [Theory]
    [MemberData(nameof(Checkpoints))]
    public void Tokenizer_EqualsSentencePiece(string checkpoint)
    {
        var tokenizer = SentencePieceTokenizer.Read(Goldens.Path(checkpoint, "tokenizer.model"));
        foreach (var test in Cases(checkpoint))
        {
            var ids = Ids(test, "spm_ids");

            Assert.Equal(ids, tokenizer.EncodeToIds(Text(test)));
            Assert.Equal(test.GetProperty("spm_decode").GetString(), tokenizer.Decode(ids));
        }
    }

    [Theory]
    [MemberData(nameof(Checkpoints))]
    public void EncodeTrusted_EqualsHuggingFaceInBothModes(string checkpoint)
    {
        foreach (var test in Cases(checkpoint))
        {
            Assert.Equal(Ids(test, "hf_legacy_false_ids"), Codec(checkpoint, legacy: false).EncodeTrusted(Text(test)));
            Assert.Equal(Ids(test, "hf_legacy_true_ids"), Codec(checkpoint, legacy: true).EncodeTrusted(Text(test)));
        }
    }

    [Theory]
    [MemberData(nameof(Checkpoints))]
    public void Decode_EqualsHuggingFaceWithAndWithoutSpecials(string checkpoint)
    {
        var codec = Codec(checkpoint, legacy: false);
        foreach (var test in Cases(checkpoint))
        {
            var ids = Ids(test, "hf_legacy_false_ids");

            Assert.Equal(test.GetProperty("hf_decode_skip_special").GetString(), codec.Decode(ids));
            Assert.Equal(test.GetProperty("hf_decode_keep_special").GetString(), codec.Decode(ids, keepSpecials: true));
        }
    }

    [Theory]
    [MemberData(nameof(Checkpoints))]
    public void Load_ReadsTheCheckpointsOwnMode(string checkpoint)
    {
        var codec = TextCodec.Load(Goldens.Path(checkpoint), LlavaConfigReader.Read(Goldens.Path(checkpoint)));
        var mode = checkpoint.StartsWith('b') ? "hf_legacy_true_ids" : "hf_legacy_false_ids";

        Assert.All(Cases(checkpoint), test => Assert.Equal(Ids(test, mode), codec.EncodeTrusted(Text(test))));
    }

    private static TextCodec Codec(string checkpoint, bool legacy)
    {
        var folder = Goldens.Path(checkpoint);
        var config = LlavaConfigReader.Read(folder);
        var own = TokenizerSettings.Read(folder, config);
        var settings = new TokenizerSettings { Legacy = legacy, Added = own.Added, Names = own.Names };
        return new TextCodec(SentencePieceTokenizer.Read(Path.Combine(folder, "tokenizer.model")), settings, config.ImageTokenId);
    }

    private static List<JsonElement> Cases(string checkpoint)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Goldens.Path(checkpoint, "expected", "tokenizer_cases.json")));
        return [.. document.RootElement.EnumerateArray().Select(test => test.Clone())];
    }

    private static string Text(JsonElement test) => test.GetProperty("text").GetString()!;

    private static int[] Ids(JsonElement test, string key) => [.. test.GetProperty(key).EnumerateArray().Select(id => id.GetInt32())];
}
