using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Tests.Weights;
using LlavaCluster.Model.Text;
using LlavaCluster.Model.Weights;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Model.Tests.Text;

/// <summary>The byte-level kind of tokenizer.json, against a naive implementation of the same rules written here.</summary>
public sealed class ByteLevelJsonTests : IDisposable
{
    private const string LlamaThreeWords = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private static readonly string[] Merges = ["a a", "b a", "aa b", "Ġ a", "a b", "Ã ©", "aa a", "ab ab", "Ġa b", "Ċ Ċ", "Ġ Ġ", "ð Ł", "ðŁ ĺ"];
    private static readonly Gen<string> Texts = Gen.OneOf([.. new[] { "a", "b", "ab", " ", "  ", "\n", "é", "日", "😀", "𐐀", "'s", "'S", "12345", "!", "\t", "\0", "\uFFFD", "<|eot|>" }.Select(Gen.Const)]).Array[0, 12].Select(string.Concat);

    private readonly TemporaryFolder _folder = new();
    private readonly LlavaConfig _config = LlavaConfigReader.Read(Goldens.Path("a_llava15"));

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Encode_EqualsTheNaiveMergerOnEveryWord()
    {
        var codec = Load(LlamaThree);
        var ids = Vocabulary();

        Texts.Sample(text => Assert.Equal(Words(text).SelectMany(word => Merge(word, ids)), Encode(codec, text)), iter: 3000);
    }

    [Fact]
    public void Decode_OfEncode_GivesTheTextBack()
    {
        var codec = Load(LlamaThree);

        Texts.Sample(text => Assert.Equal(text, codec.Decode(Encode(codec, text))), iter: 1000);
    }

    [Fact]
    public void CreateDecoder_JoinedPiecesEqualTheWhole()
    {
        var codec = Load(LlamaThree);
        Gen.Int[0, codec.Count + 3].Array[0, 40].Sample(ids =>
        {
            var decoder = codec.CreateDecoder();
            Assert.Equal(codec.Decode(ids), string.Concat(ids.Select(decoder.Append)) + decoder.Finish());
        });
    }

    [Theory]
    [InlineData("it's I'M", "it|'s| I|'M")]
    [InlineData("a  b", "a| | b")]
    [InlineData("12345", "123|45")]
    [InlineData("x!?\n\ny", "x|!?\n\n|y")]
    [InlineData("😀ab", "😀ab")]
    [InlineData("!𐐀a", "!𐐀a")]
    [InlineData("a 𝟙𝟚", "a| |𝟙𝟚")]
    public void Split_SeesCodePointsAsHuggingFaceDoes(string text, string words)
    {
        var splitter = new WordSplitter([new System.Text.RegularExpressions.Regex(LlamaThreeWords)]);

        Assert.Equal(words.Split('|'), splitter.Split(text).Select(word => text.Substring(word.Start, word.Length)));
    }

    [Fact]
    public void Encode_WhenByteLevelCutsByItself_UsesGpt2sWords()
    {
        var codec = Load(json => json["pre_tokenizer"] = JsonNode.Parse("""{"type":"ByteLevel","add_prefix_space":false,"use_regex":true}"""));
        var ids = Vocabulary();

        // "aa" and "b" are one word, but a digit is none of it.
        Assert.Equal([ids["aab"], ids["1"], ids["Ġa"]], Encode(codec, "aab1 a"));
    }

    [Fact]
    public void Encode_WhenMergesAreIgnored_TakesWholeWords()
    {
        var codec = Load(json =>
        {
            LlamaThree(json);
            json["model"]!["ignore_merges"] = true;
            json["model"]!["vocab"]!["Ġba"] = 900;
        });

        Assert.Equal([900], Encode(codec, " ba"));
        Assert.Equal([Vocabulary()["Ġ"], Vocabulary()["ba"], Vocabulary()["ba"]], Encode(codec, " baba"));
    }

    [Fact]
    public void Encode_KnowsAddedTokensInTrustedTextOnly()
    {
        var codec = Load(LlamaThree);

        Assert.Equal([1000, 801, Vocabulary()["aa"], 800], codec.EncodeTrusted("<image><note>aa<|eot|>"));
        Assert.DoesNotContain(800, Encode(codec, "aa<|eot|>"));
        Assert.Equal("<note>aa", codec.Decode([801, Vocabulary()["aa"], 800]));
        Assert.Equal("aa<|eot|>", codec.Decode([Vocabulary()["aa"], 800], keepSpecials: true));
    }

    [Fact]
    public void Encode_WhenTheTextHasALoneSurrogate_ReadsTheReplacementCharacter()
    {
        var codec = Load(LlamaThree);

        Assert.Equal(Encode(codec, "a\uFFFDb"), Encode(codec, "a\uD83Db"));
        Assert.Equal(Encode(codec, "\uFFFD\uFFFD"), Encode(codec, "\uDE00\uD83D"));
    }

    [Fact]
    public void Encode_WhenLearnedTextBeginsInsideAToken_IsRefused()
    {
        var codec = Load(LlamaThree);

        Assert.Throws<InvalidOperationException>(() => codec.Encode([new PromptItem.Words("a"), new PromptItem.Words("a", Learned: true)]));
        Assert.Equal([false, true], codec.Encode([new PromptItem.Words("a"), new PromptItem.Words(" a", Learned: true)]).Select(token => token.Learned));
    }

    [Fact]
    public void Encode_OfAChatMlConversationWhoseAnswerBeginsWithALineBreak_GoesOnFromIt()
    {
        var codec = Load(json =>
        {
            LlamaThree(json);
            json["added_tokens"]!.AsArray().Add(new JsonObject { ["id"] = 802, ["content"] = "<|im_end|>", ["special"] = true });
        });
        var renderer = new PromptRenderer(ConversationTemplate.Find("chatml_direct")!, codec);

        var tokens = codec.Encode(renderer.Render([PromptMessage.User("a"), PromptMessage.Assistant("\nb"), PromptMessage.User("a")], opens: true));

        // The line break of the template and that of the answer are one token.
        Assert.Contains(tokens, token => token.Id == Vocabulary()["ĊĊ"]);
        Assert.Equal([802], renderer.EndTokens);
        Assert.Empty(renderer.StopTexts);
    }

    [Theory]
    [InlineData("""{"type":"ByteLevel"}""", "pre_tokenizer.add_prefix_space must be false; was absent")]
    [InlineData("""{"type":"Sequence","pretokenizers":[{"type":"Digits"},{"type":"ByteLevel","add_prefix_space":false}]}""", "pre_tokenizer.pretokenizers[0].type must be one of Split, ByteLevel; was \"Digits\"")]
    [InlineData("""{"type":"Sequence","pretokenizers":[{"type":"Split","behavior":"Removed","pattern":{"Regex":"a"}},{"type":"ByteLevel","add_prefix_space":false}]}""", "behavior must be one of Isolated; was \"Removed\"")]
    [InlineData("""{"type":"Sequence","pretokenizers":[{"type":"Split","behavior":"Isolated","invert":false,"pattern":{"Regex":"("}},{"type":"ByteLevel","add_prefix_space":false}]}""", "pattern.Regex must be a regular expression that .NET reads")]
    public void Load_WhenThePreTokeniserIsOfAnotherKind_NamesIt(string preTokenizer, string message) =>
        Assert.Contains(message, Assert.Throws<CheckpointException>(() => Load(json => json["pre_tokenizer"] = JsonNode.Parse(preTokenizer))).Message, StringComparison.Ordinal);

    [Fact]
    public void Load_WhenTheVocabularyLacksABytePieceOrNormalises_NamesIt()
    {
        Assert.Contains("must have all 256 bytes; lacks 'Ġ'", Assert.Throws<CheckpointException>(() => Load(json =>
        {
            LlamaThree(json);
            json["model"]!["merges"] = new JsonArray();
            _ = json["model"]!["vocab"]!.AsObject().Remove("Ġ");
        })).Message, StringComparison.Ordinal);
        Assert.Contains("normalizer.type is not supported with a ByteLevel pre-tokeniser; was \"NFC\"", Assert.Throws<CheckpointException>(() => Load(json =>
        {
            LlamaThree(json);
            json["normalizer"] = new JsonObject { ["type"] = "NFC" };
        })).Message, StringComparison.Ordinal);
    }

    private static int[] Encode(TextCodec codec, string text) => [.. codec.Encode([new PromptItem.Words(text)]).Select(token => token.Id)];

    private static void LlamaThree(JsonObject json) => json["pre_tokenizer"] = new JsonObject
    {
        ["type"] = "Sequence",
        ["pretokenizers"] = new JsonArray(
            new JsonObject { ["type"] = "Split", ["pattern"] = new JsonObject { ["Regex"] = LlamaThreeWords }, ["behavior"] = "Isolated", ["invert"] = false },
            new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = false }),
    };

    private TextCodec Load(Action<JsonObject> change)
    {
        var json = new JsonObject
        {
            ["added_tokens"] = new JsonArray(
                new JsonObject { ["id"] = 800, ["content"] = "<|eot|>", ["special"] = true },
                new JsonObject { ["id"] = 801, ["content"] = "<note>", ["special"] = false }),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["vocab"] = new JsonObject(Vocabulary().Select(entry => new KeyValuePair<string, JsonNode?>(entry.Key, entry.Value))),
                ["merges"] = new JsonArray([.. Merges.Select(merge => (JsonNode)merge)]),
            },
        };
        change(json);
        _ = _folder.Write("tokenizer.json", json.ToJsonString());
        return TextCodec.Load(_folder.Root, _config);
    }

    private static Dictionary<string, int> Vocabulary()
    {
        var ids = ByteAlphabet.Characters.Select((letter, index) => (letter.ToString(), index)).ToDictionary(entry => entry.Item1, entry => entry.index, StringComparer.Ordinal);
        foreach (var merge in Merges)
        {
            ids.Add(merge.Replace(" ", "", StringComparison.Ordinal), ids.Count);
        }

        return ids;
    }

    private static IEnumerable<string> Words(string text) =>
        new WordSplitter([new System.Text.RegularExpressions.Regex(LlamaThreeWords)]).Split(text).Select(word => text.Substring(word.Start, word.Length));

    // One merge at a time: the best rank, leftmost first.
    private static IEnumerable<int> Merge(string word, Dictionary<string, int> ids)
    {
        var parts = Encoding.UTF8.GetBytes(word).Select(value => ByteAlphabet.Characters[value].ToString()).ToList();
        while (true)
        {
            var best = Enumerable.Range(0, Math.Max(0, parts.Count - 1)).Select(at => (Rank: Array.IndexOf(Merges, $"{parts[at]} {parts[at + 1]}"), At: at)).Where(pair => pair.Rank >= 0).Order().FirstOrDefault((Rank: -1, At: -1));
            if (best.Rank < 0)
            {
                return parts.Select(part => ids[part]);
            }

            parts[best.At] += parts[best.At + 1];
            parts.RemoveAt(best.At + 1);
        }
    }
}
