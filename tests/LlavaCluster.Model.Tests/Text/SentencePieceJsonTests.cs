using System.Text.Json;
using System.Text.Json.Nodes;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Tests.Weights;
using LlavaCluster.Model.Text;
using LlavaCluster.Model.Weights;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Model.Tests.Text;

/// <summary>
/// Llama-2's kind of tokenizer.json. The fixtures have none, so each <c>tokenizer.model</c> is rewritten as transformers' convert_slow_tokenizer.py writes it and must give the fixture's ids.
/// </summary>
public sealed class SentencePieceJsonTests : IDisposable
{
    private const string Prepend = """{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}""";

    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Checkpoints() => [.. Goldens.Checkpoints];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Checkpoints))]
    public void Encode_WhenTheNormaliserPrepends_EqualsTheLegacyTokeniser(string checkpoint)
    {
        var codec = Load(checkpoint, json => json["normalizer"] = JsonNode.Parse(Prepend));

        foreach (var test in Cases(checkpoint))
        {
            Assert.Equal(Ids(test, "hf_legacy_true_ids"), codec.EncodeTrusted(Text(test)));
        }

        Assert.True(codec.IsLegacy);
    }

    [Theory]
    [MemberData(nameof(Checkpoints))]
    public void Encode_WhenMetaspacePrependsFirst_EqualsTheNewerTokeniserOnTextsThatBeginWithAWord(string checkpoint)
    {
        var codec = Load(checkpoint, json => json["pre_tokenizer"] = Metaspace("first"));
        var tests = Cases(checkpoint).Where(test => Text(test) is { Length: > 0 } text && text[0] is not (' ' or '\u2581')).ToList();

        Assert.InRange(tests.Count, 50, 65);
        Assert.All(tests, test => Assert.Equal(Ids(test, "hf_legacy_false_ids"), codec.EncodeTrusted(Text(test))));
        Assert.False(codec.IsLegacy);
    }

    [Theory]
    [InlineData("first", " Hello", "Hello")]
    [InlineData("always", " Hello", "Hello")]
    [InlineData("never", "Hello", null)]
    public void Encode_WhenMetaspaceMeetsASpace_DoesNotAddAnother(string scheme, string text, string? same)
    {
        var codec = Load("a_llava15", json => json["pre_tokenizer"] = Metaspace(scheme));

        Assert.Equal(scheme != "never", codec.EncodeTrusted(text)[1] == codec.EncodeTrusted(same ?? " Hello")[1]);
    }

    [Theory]
    [MemberData(nameof(Checkpoints))]
    public void Decode_EqualsHuggingFace(string checkpoint)
    {
        var codec = Load(checkpoint, json => json["normalizer"] = JsonNode.Parse(Prepend));
        foreach (var test in Cases(checkpoint))
        {
            Assert.Equal(test.GetProperty("hf_decode_skip_special").GetString(), codec.Decode(Ids(test, "hf_legacy_false_ids")));
            Assert.Equal(test.GetProperty("hf_decode_keep_special").GetString(), codec.Decode(Ids(test, "hf_legacy_false_ids"), keepSpecials: true));
        }
    }

    [Fact]
    public void Encode_WhenAUserTypesSpecialTokens_KeepsThemText()
    {
        var codec = Load("a_llava15", json => json["normalizer"] = JsonNode.Parse(Prepend));

        var ids = codec.Encode([new PromptItem.Words("a </s><image> b")]).Select(token => token.Id).ToArray();

        Assert.DoesNotContain(2, ids);
        Assert.DoesNotContain(1000, ids);
        Assert.Equal("a </s><image> b", codec.Decode(ids));
    }

    [Fact]
    public void Encode_WhenMergesAreListed_MergesNoOtherPairs()
    {
        // "abc" is a piece that no merge makes: SentencePiece would make it from "ab" and "c".
        _ = _folder.Write("tokenizer.json", """
            {"model":{"type":"BPE","vocab":{"<unk>":0,"a":1,"b":2,"c":3,"ab":4,"abc":5,"bc":6,"▁":7},"merges":["b c","a b"],"unk_token":"<unk>"},
             "normalizer":{"type":"Replace","pattern":{"String":" "},"content":"▁"}}
            """);
        var codec = TextCodec.Load(_folder.Root, Config);

        Assert.Equal([1, 6], codec.EncodeTrusted("abc"));
        Assert.Equal([4, 7, 0], codec.EncodeTrusted("ab x"));
    }

    [Fact]
    public void Load_TakesTheBeginningFromTheTemplateUnlessTheConfigSaysOtherwise()
    {
        Assert.Equal(1, Load("a_llava15", json => json["normalizer"] = JsonNode.Parse(Prepend)).EncodeTrusted("a")[0]);
        _ = _folder.Write("tokenizer_config.json", """{"add_bos_token":false}""");
        Assert.Equal([262], TextCodec.Load(_folder.Root, Config).EncodeTrusted("a"));
    }

    [Theory]
    [InlineData("""{"model":{"type":"Unigram"}}""", "model.type must be one of BPE; was \"Unigram\"")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":[],"dropout":0.1}}""", "model.dropout must be null or 0; was 0.1")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":[],"end_of_word_suffix":"</w>"}}""", "model.end_of_word_suffix must be empty")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0,"b":0},"merges":[]}}""", "model.vocab must give each piece an id of its own")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}""", "was -1 for 'a'")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":99999999},"merges":[]}}""", "model.vocab must give each piece an id")]
    [InlineData("""{"model":{"type":"BPE","vocab":{},"merges":[]}}""", "model.vocab must not be empty")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}}""", "model.merges must be of pieces in the vocabulary, and make one; was \"a b\"")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":[["a"]]}}""", "model.merges must hold pairs of pieces")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":7}}""", "model.merges must be a list")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":[]}}""", "normalizer must replace spaces by ▁")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"normalizer":{"type":"NFKC"}}""", "normalizer.type must be one of Prepend, Replace; was \"NFKC\"")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"Whitespace"}}""", "pre_tokenizer.type must be one of Metaspace")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"Metaspace","split":true}}""", "pre_tokenizer.split must be false; was true")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":[],"byte_fallback":true},"pre_tokenizer":{"type":"Metaspace","split":false}}""", "must have 256 byte pieces for its byte fallback; has 0")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"added_tokens":[{"id":1,"content":"<x>","lstrip":true}]}""", "added_tokens[0].lstrip must be false; was true")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"\ud800":0},"merges":[]}}""", "holds text that is not Unicode")]
    [InlineData("[", "is not valid JSON")]
    public void Load_WhenTheFileIsOfAnotherKind_NamesTheFieldAndTheRule(string json, string message)
    {
        _ = _folder.Write("tokenizer.json", json);

        Assert.Contains(message, Assert.Throws<CheckpointException>(() => TextCodec.Load(_folder.Root, Config)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_WhenThereIsNoTokeniser_SaysSo() =>
        Assert.Contains("has no tokeniser: neither tokenizer.json nor tokenizer.model", Assert.Throws<CheckpointException>(() => TextCodec.Load(_folder.Root, Config)).Message, StringComparison.Ordinal);

    [Fact]
    public void Load_WhenThePictureSharesTheIdOfUnknown_KeepsThatName()
    {
        // The original layout: the picture has no id of its own there.
        File.Copy(Goldens.Path("a_llava15", "tokenizer.model"), _folder.File("tokenizer.model"));

        var codec = TextCodec.Load(_folder.Root, Config with { ImageTokenId = 0 });

        Assert.Equal([1, 0], codec.Encode([new PromptItem.Picture(0)]).Select(token => token.Id));
        Assert.Equal("<unk>", codec.Decode([0], keepSpecials: true));
    }

    [Fact]
    public void Read_WhenASentencePieceFileIsCutOrChanged_NeverDoesMoreThanRefuse()
    {
        var whole = File.ReadAllBytes(Goldens.Path("a_llava15", "tokenizer.model"));
        var random = new Random(5);
        var refused = 0;
        for (var round = 0; round < 400; round++)
        {
            var changed = (byte[])whole.Clone();
            changed[random.Next(changed.Length)] = (byte)random.Next(256);
            var path = _folder.Write("tokenizer.model", changed[..(round % 4 == 0 ? random.Next(changed.Length) : changed.Length)]);
            try
            {
                _ = SentencePieceTokenizer.Read(path).EncodeToIds("Hello 日本 \u0000");
            }
            catch (CheckpointException refusal)
            {
                Assert.StartsWith(path, refusal.Message, StringComparison.Ordinal);
                refused++;
            }
        }

        Assert.InRange(refused, 50, 400);
    }

    private static LlavaConfig Config => LlavaConfigReader.Read(Goldens.Path("a_llava15"));

    private TextCodec Load(string checkpoint, Action<JsonObject> change)
    {
        var json = Convert(checkpoint);
        change(json);
        _ = _folder.Write("tokenizer.json", json.ToJsonString());
        return TextCodec.Load(_folder.Root, LlavaConfigReader.Read(Goldens.Path(checkpoint)));
    }

    private static JsonNode Metaspace(string scheme) => new JsonObject { ["type"] = "Metaspace", ["replacement"] = "▁", ["prepend_scheme"] = scheme, ["split"] = false };

    // convert_slow_tokenizer.py: every way to cut a piece into two pieces is a merge, ranked by the piece's score.
    private static JsonObject Convert(string checkpoint)
    {
        var pieces = SentencePieceFile.Read(Goldens.Path(checkpoint, "tokenizer.model")).Pieces;
        var ids = pieces.Select((piece, id) => (piece.Text, id)).ToDictionary(entry => entry.Text, entry => entry.id, StringComparer.Ordinal);
        var vocabulary = new JsonObject(ids.Select(entry => new KeyValuePair<string, JsonNode?>(entry.Key, entry.Value)));
        var merges = pieces.Where(piece => piece.Kind == SentencePieceKind.Normal).OrderByDescending(piece => piece.Score)
            .SelectMany(piece => Enumerable.Range(1, Math.Max(0, piece.Text.Length - 1)).Select(cut => (Left: piece.Text[..cut], Right: piece.Text[cut..])))
            .Where(merge => ids.ContainsKey(merge.Left) && ids.ContainsKey(merge.Right))
            .Select(merge => (JsonNode)new JsonArray(merge.Left, merge.Right));
        var image = pieces.Length;
        return new JsonObject
        {
            ["added_tokens"] = new JsonArray(Added(0, "<unk>"), Added(1, "<s>"), Added(2, "</s>"), Added(image, "<image>"), Added(image + 1, "<pad>")),
            ["post_processor"] = JsonNode.Parse("""{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"special_tokens":{"<s>":{"id":"<s>","ids":[1],"tokens":["<s>"]}}}"""),
            ["decoder"] = JsonNode.Parse("""{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}"""),
            ["model"] = new JsonObject { ["type"] = "BPE", ["dropout"] = null, ["unk_token"] = "<unk>", ["fuse_unk"] = true, ["byte_fallback"] = true, ["vocab"] = vocabulary, ["merges"] = new JsonArray([.. merges]) },
        };
    }

    private static JsonObject Added(int id, string content) => new() { ["id"] = id, ["content"] = content, ["special"] = true, ["normalized"] = false };

    private static List<JsonElement> Cases(string checkpoint)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Goldens.Path(checkpoint, "expected", "tokenizer_cases.json")));
        return [.. document.RootElement.EnumerateArray().Select(test => test.Clone())];
    }

    private static string Text(JsonElement test) => test.GetProperty("text").GetString()!;

    private static int[] Ids(JsonElement test, string key) => [.. test.GetProperty(key).EnumerateArray().Select(id => id.GetInt32())];
}
