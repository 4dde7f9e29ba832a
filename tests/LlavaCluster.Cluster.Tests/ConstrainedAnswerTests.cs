using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using LlavaCluster.Client;
using LlavaCluster.Cluster.Tests.Support;
using Microsoft.Extensions.AI;

namespace LlavaCluster.Cluster.Tests;

/// <summary>Constrained answers through the served APIs, over a real vocabulary: whatever nonsense the model says, it has the asked form.</summary>
public sealed class ConstrainedAnswerTests(ServedModel served) : IClassFixture<ServedModel>
{
    private const string Schema = """
        {"type":"object","properties":{"colour":{"enum":["red","green","blue"]},"count":{"type":"integer","minimum":0,"maximum":20},"sure":{"type":"boolean"},
        "names":{"type":"array","items":{"type":"string","maxLength":3},"minItems":1,"maxItems":2}},"required":["colour","count","sure","names"],"additionalProperties":false}
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, 1)]
    [InlineData(3, 2)]
    public async Task JsonSchema_OverHttp_IsKept(int seed, double temperature)
    {
        var options = $"\"seed\":{seed},\"temperature\":{temperature},\"max_tokens\":200";
        const string Format = """ ,"response_format":{"type":"json_schema","json_schema":{"name":"thing","strict":true,"schema":""" + Schema + "}}";
        var answer = await served.ChatAsync("\"Describe it\"", options + Format, Cancel);
        var choice = answer.GetProperty("choices")[0];
        Assert.Equal("stop", choice.GetProperty("finish_reason").GetString());
        AssertKept(choice.GetProperty("message").GetProperty("content").GetString()!);
    }

    [Fact]
    public async Task JsonSchema_OverResponses_IsKept()
    {
        const string Body = """{"model":"a_llava15","input":"Describe it","max_output_tokens":200,"text":{"format":{"type":"json_schema","name":"thing","schema":""" + Schema + "}}}";
        var answer = await served.PostAsync("/v1/responses", Body, Cancel);
        Assert.Equal("completed", answer.GetProperty("status").GetString());
        AssertKept(answer.GetProperty("output")[0].GetProperty("content")[0].GetProperty("text").GetString()!);
    }

    [Fact]
    public async Task JsonSchema_OverGrpc_IsKept()
    {
        using var connection = new LlavaConnection(served.Address);
        using var client = new LlavaChatClient(connection, ServedModel.Name);
        var options = new ChatOptions { MaxOutputTokens = 200, ResponseFormat = ChatResponseFormat.ForJsonSchema(JsonDocument.Parse(Schema).RootElement) };
        AssertKept((await client.GetResponseAsync([new ChatMessage(ChatRole.User, "Describe it")], options, Cancel)).Text);
    }

    [Fact]
    public async Task JsonObject_IsAnObjectOrCutShort()
    {
        var answer = await served.ChatAsync("\"Describe it\"", """ "n":4,"max_tokens":400,"response_format":{"type":"json_object"} """, Cancel);
        foreach (var choice in answer.GetProperty("choices").EnumerateArray())
        {
            var text = choice.GetProperty("message").GetProperty("content").GetString()!;
            Assert.StartsWith("{", text.TrimStart(), StringComparison.Ordinal);
            if (choice.GetProperty("finish_reason").GetString() == "stop")
            {
                Assert.Equal(JsonValueKind.Object, JsonDocument.Parse(text).RootElement.ValueKind);
            }
        }
    }

    [Fact]
    public async Task RegexAndChoice_AreKept()
    {
        var pattern = await served.ChatAsync("\"A number plate\"", """ "n":4,"max_tokens":60,"guided_regex":"[A-Z]{2}-[0-9]{3}(é|😀)" """, Cancel);
        Assert.All(Texts(pattern), text => Assert.Matches("^[A-Z]{2}-[0-9]{3}(é|😀)$", text));
        var choice = await served.ChatAsync("\"Is it?\"", """ "n":4,"max_tokens":60,"guided_choice":["yes","no","perhaps not"] """, Cancel);
        Assert.All(Texts(choice), text => Assert.Contains(text, (string[])["yes", "no", "perhaps not"]));
    }

    [Theory]
    [InlineData("\"guided_regex\":\"(a\"", "guided_regex", "regex: '(' is not closed")]
    [InlineData("\"guided_choice\":[\"\"]", "guided_choice", "guided_choice must not be empty.")]
    [InlineData("\"guided_choice\":[\"a\"],\"guided_regex\":\"a\"", "guided_choice", "guided_choice must not be given together with guided_regex")]
    [InlineData("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{\"type\":\"thing\"}}}", "response_format", "json_schema: ")]
    [InlineData("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{\"const\":\"\\ud800\"}}}", "response_format", "json_schema: ")]
    [InlineData("\"response_format\":{\"type\":\"xml\"}", "response_format", "response_format must have type text, json_object or json_schema.")]
    public async Task Constraint_ThatIsNone_NamesItsField(string option, string field, string message)
    {
        foreach (var stream in (string[])["false", "true"])
        {
            var error = (await served.ChatAsync("\"hi\"", $"{option},\"stream\":{stream}", Cancel, HttpStatusCode.BadRequest)).GetProperty("error");
            Assert.Equal(field, error.GetProperty("param").GetString());
            Assert.StartsWith(message, error.GetProperty("message").GetString(), StringComparison.Ordinal);
        }
    }

    private static IEnumerable<string> Texts(JsonElement answer) => answer.GetProperty("choices").EnumerateArray().Select(choice => choice.GetProperty("message").GetProperty("content").GetString()!);

    private static void AssertKept(string text)
    {
        var answer = JsonDocument.Parse(text).RootElement;
        Assert.Equal(["colour", "count", "names", "sure"], answer.EnumerateObject().Select(property => property.Name).Order());
        Assert.Contains(answer.GetProperty("colour").GetString(), (string[])["red", "green", "blue"]);
        Assert.Matches("^(1?[0-9]|20)$", answer.GetProperty("count").GetRawText());
        Assert.True(answer.GetProperty("sure").ValueKind is JsonValueKind.True or JsonValueKind.False);
        var names = answer.GetProperty("names");
        Assert.InRange(names.GetArrayLength(), 1, 2);
        // A schema counts characters, as code points.
        Assert.All(names.EnumerateArray(), name => Assert.InRange(name.GetString()!.EnumerateRunes().Count(), 0, 3));
    }
}
