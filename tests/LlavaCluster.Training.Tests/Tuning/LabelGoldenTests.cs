using System.Text.Json;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Imaging;
using LlavaCluster.Model.Text;
using LlavaCluster.TestSupport;
using LlavaCluster.Training.Data.Conversations;

namespace LlavaCluster.Training.Tests.Tuning;

/// <summary>Ids and learned places by template, made by tests/goldens/labels/make.py.</summary>
public sealed class LabelGoldenTests
{
    private static readonly LlavaConfig Config = LlavaConfigReader.Read(TuningData.Model);
    private static readonly TextCodec Codec = TextCodec.Load(TuningData.Model, Config);

    public static TheoryData<int> Rows() => [.. Enumerable.Range(0, Golden().GetArrayLength())];

    [Theory]
    [MemberData(nameof(Rows))]
    public void Tokens_OfAConversation_AreThoseOfTheTemplateWithItsLabels(int row)
    {
        var golden = Golden()[row];
        var turns = golden.GetProperty("turns").EnumerateArray().Select(turn => new ConversationTurn(turn.GetProperty("question").GetString()!, turn.GetProperty("picture").GetBoolean() ? 1 : 0, turn.GetProperty("answer").GetString()!)).ToList();
        var conversation = new Conversation("golden", null, turns, [.. Enumerable.Range(0, turns.Sum(turn => turn.Pictures)).Select(_ => new PictureReference("picture", null))]);

        var (tokens, _, reason) = Encoder(golden.GetProperty("template").GetString()!).Tokens(conversation, 0);

        Assert.Equal("", reason);
        Assert.Equal(Integers(golden, "ids"), tokens.Select(token => token.Id));
        Assert.Equal(Integers(golden, "learned"), tokens.Index().Where(token => token.Item.Learned).Select(token => token.Index));
    }

    [Fact]
    public void Tokens_WhereATokenLiesAcrossALabelsBorder_AreRefusedAndNotGuessed()
    {
        var conversation = new Conversation(null, null, [new ConversationTurn("Q1", 0, "A1"), new ConversationTurn("Q2", 0, "A2")], []);

        var (tokens, kind, reason) = Encoder("llava_hf").Tokens(conversation, 0);

        Assert.Empty(tokens);
        Assert.Equal(BadRecordKind.Unlabelled, kind);
        Assert.Contains("across the border", reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 64)]
    public void Tokens_OfQuestionsBeforeTheirPictures_AreDrawnByRecord(double share, int expected)
    {
        var conversation = new Conversation(null, null, [new ConversationTurn("Why so blue?", 1, "Paint.")], [new PictureReference("picture", null)]);
        var encoder = new SampleEncoder(Config, Codec, ConversationTemplate.Bare, Preprocessing, 2048, share, 1);
        var first = encoder.Tokens(conversation, 0).Tokens.Count;

        var last = Enumerable.Range(0, 64).Count(key => encoder.Tokens(conversation, key).Tokens.Index().First(token => token.Item.Picture >= 0).Index > 10);

        Assert.Equal(expected, last);
        Assert.InRange(first, 10, 40);
    }

    [Fact]
    public void Tokens_WithHalfTheQuestionsFirst_AreBothWaysAndTheSameAgain()
    {
        var conversation = new Conversation(null, null, [new ConversationTurn("Why so blue?", 1, "Paint.")], [new PictureReference("picture", null)]);
        bool[] Draw() => [.. Enumerable.Range(0, 200).Select(key => new SampleEncoder(Config, Codec, ConversationTemplate.Bare, Preprocessing, 2048, 0.5, 1).Tokens(conversation, key).Tokens.Index().First(token => token.Item.Picture >= 0).Index > 10)];
        var draws = Draw();

        Assert.InRange(draws.Count(last => last), 70, 130);
        Assert.Equal(draws, Draw());
    }

    private static PreprocessingConfig Preprocessing => PreprocessingConfigReader.Read(TuningData.Model, Config);

    private static SampleEncoder Encoder(string template) => new(Config, Codec, ConversationTemplate.Find(template)!, Preprocessing, 2048);

    private static int[] Integers(JsonElement row, string name) => [.. row.GetProperty(name).EnumerateArray().Select(value => value.GetInt32())];

    private static JsonElement Golden()
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Goldens.Path("labels", "labels.json")));
        return document.RootElement.Clone();
    }
}
