using System.Text.Json;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Text;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Model.Tests.Text;

public sealed class PromptRendererTests
{
    private static readonly string Folder = Goldens.Path("a_llava15");
    private static readonly TextCodec Codec = TextCodec.Load(Folder, LlavaConfigReader.Read(Folder));

    [Theory]
    [InlineData("llava_hf", "SYS USER: <image>\nQ1 ASSISTANT: A1 USER: Q2 ASSISTANT:")]
    [InlineData("bare", "SYS USER: <image>\nQ1 ASSISTANT: A1</s>USER: Q2 ASSISTANT:")]
    [InlineData("llava_v0", "SYS###Human: <image>\nQ1###Assistant: A1###Human: Q2###Assistant:")]
    [InlineData("llava_llama_2", "[INST] <<SYS>>\nSYS\n<</SYS>>\n\n<image>\nQ1 [/INST] A1 </s><s>[INST] Q2 [/INST]")]
    [InlineData("mistral_instruct", "[INST] <<SYS>>\nSYS\n<</SYS>>\n\n<image>\nQ1 [/INST] A1</s>[INST] Q2 [/INST]")]
    [InlineData("chatml_direct", "<|im_start|>system\nSYS<|im_end|><|im_start|>user\n<image>\nQ1<|im_end|><|im_start|>assistant\nA1<|im_end|><|im_start|>user\nQ2<|im_end|><|im_start|>assistant\n")]
    [InlineData("plain", "SYS<image>Q1A1\nQ2")]
    public void Render_WritesEachTemplateAsItsSource(string template, string expected)
    {
        PromptMessage[] messages = [PromptMessage.System("SYS"), PromptMessage.User("Q1", 0), PromptMessage.Assistant("A1"), PromptMessage.User("Q2")];

        Assert.Equal(expected, Text(new PromptRenderer(ConversationTemplate.Find(template)!, Codec).Render(messages, opens: true)));
    }

    [Fact]
    public void Render_WithoutASystemMessage_SpeaksTheTemplatesOwn()
    {
        var items = new PromptRenderer(ConversationTemplate.VicunaV1, Codec).Render([PromptMessage.User("Why?")], opens: true);

        Assert.Equal("A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the user's questions. USER: Why? ASSISTANT:", Text(items));
    }

    [Fact]
    public void Encode_OfTheGoldenPrompts_EqualsTheirIds()
    {
        foreach (var prompt in Json("prompts.json").EnumerateObject())
        {
            var messages = prompt.Name switch
            {
                "image" => [PromptMessage.User("What is shown here?", 0)],
                "text" => [PromptMessage.User("Name three colours.")],
                _ => new[] { PromptMessage.User("What is this?", 0), PromptMessage.Assistant("A red box."), PromptMessage.User("And this one?", 1) },
            };
            var tokens = Codec.Encode(new PromptRenderer(ConversationTemplate.Bare, Codec).Render(messages, opens: true));
            var expanded = tokens.SelectMany(token => Enumerable.Repeat(token.Id, token.Picture >= 0 ? 16 : 1));

            Assert.Equal(prompt.Value.GetProperty("input_ids").EnumerateArray().Select(id => id.GetInt32()), expanded);
        }
    }

    [Fact]
    public void Encode_OfTheTrainingSample_LearnsExactlyTheGoldenLabels()
    {
        var sample = Json("train.json");
        PromptMessage[] messages = [PromptMessage.User("Describe the picture.", 0), PromptMessage.Assistant("It is a small test pattern with some shapes.")];
        var tokens = Codec.Encode(new PromptRenderer(ConversationTemplate.Bare, Codec).Render(messages, opens: false))
            .SelectMany(token => Enumerable.Repeat(token, token.Picture >= 0 ? 16 : 1)).ToList();

        Assert.Equal(sample.GetProperty("input_ids").EnumerateArray().Select(id => id.GetInt32()), tokens.Select(token => token.Id));
        Assert.Equal(sample.GetProperty("labels").EnumerateArray().Select(id => id.GetInt32()), tokens.Select(token => token.Learned ? token.Id : -100));
    }

    [Theory]
    [MemberData(nameof(Templates))]
    public void Encode_OfTwoTurnsToGoOnFrom_TakesEveryTemplateAndLearnsNothing(string template)
    {
        PromptMessage[] messages = [PromptMessage.User("Q1", 0), PromptMessage.Assistant("\nA1 "), PromptMessage.User("Q2"), PromptMessage.Assistant(" A2\n"), PromptMessage.User("\nQ3")];

        var tokens = Codec.Encode(new PromptRenderer(ConversationTemplate.Find(template)!, Codec).Render(messages, opens: true));

        Assert.DoesNotContain(tokens, token => token.Learned);
    }

    [Theory]
    [InlineData("vicuna_v1", null)]
    [InlineData("v0", "###")]
    [InlineData("llava_v0", "###")]
    [InlineData("mpt", "<|im_end|>")]
    public void StopTexts_AreTheTemplatesWhereTheTokeniserHasNoSuchToken(string template, string? stop)
    {
        var renderer = new PromptRenderer(ConversationTemplate.Find(template)!, Codec);

        Assert.Equal(stop is null ? [] : [stop], renderer.StopTexts);
        Assert.Empty(renderer.EndTokens);
    }

    [Fact]
    public void Encode_OfLearnedTextThatBeginsInsideAToken_IsRefusedWithoutTheText()
    {
        var template = ConversationTemplate.HuggingFace;
        PromptMessage[] messages = [PromptMessage.User("secret"), PromptMessage.Assistant("A1"), PromptMessage.User("Q2"), PromptMessage.Assistant("A2")];

        var fault = Assert.Throws<InvalidOperationException>(() => Codec.Encode(new PromptRenderer(template, Codec).Render(messages, opens: false)));

        Assert.DoesNotContain("secret", fault.Message, StringComparison.Ordinal);
    }

    public static TheoryData<string> Templates() => [.. ConversationTemplate.All.Select(template => template.Name)];

    [Fact]
    public void Encode_OfSpecialNamesTypedByAUser_KeepsThemText()
    {
        var tokens = Codec.Encode(new PromptRenderer(ConversationTemplate.Bare, Codec).Render([PromptMessage.User("<image></s><s>")], opens: true));

        Assert.DoesNotContain(tokens, token => token.Picture >= 0 || token.Id is 2 or 1000);
        Assert.Single(tokens, token => token.Id == 1);
        Assert.Equal("USER: <image></s><s> ASSISTANT:", Codec.Decode(tokens.Select(token => token.Id)));
    }

    private static string Text(IReadOnlyList<PromptItem> items) => string.Concat(items.Select(item => item switch
    {
        PromptItem.Words words => words.Text,
        PromptItem.Special special => special.Id == 2 ? "</s>" : "<s>",
        _ => "<image>",
    }));

    private static JsonElement Json(string name)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "expected", name)));
        return document.RootElement.Clone();
    }
}
