using System.Net;
using System.Net.ServerSentEvents;
using System.Text.Json;
using LlavaCluster.Cluster.Tests.Support;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Cluster.Tests;

/// <summary>What only the real tokenizer and engine can show of the served APIs: counts, bounds, sampling, state.</summary>
public sealed class ServedRequestTests(ServedModel served) : IClassFixture<ServedModel>
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static string Picture =>
        """{"type":"image_url","image_url":{"url":"data:image/png;base64,""" + Convert.ToBase64String(File.ReadAllBytes(Path.Combine(Goldens.Path("images"), "wide.png"))) + "\"}}";

    [Fact]
    public async Task Usage_CountsEachPicturesTokens()
    {
        var text = await UsageAsync("""[{"type":"text","text":"What is it?"}]""");
        var one = await UsageAsync($$"""[{"type":"text","text":"What is it?"},{{Picture}}]""");
        var two = await UsageAsync($$"""[{{Picture}},{"type":"text","text":"What is it?"},{{Picture}}]""");
        Assert.Equal((0, 16, 32), (text.Image, one.Image, two.Image));
        Assert.InRange(one.Prompt - text.Prompt, 16, 20);
        Assert.InRange(two.Prompt - one.Prompt, 16, 20);
    }

    [Fact]
    public async Task Usage_OfAPromptThatBeginsAsOneBefore_CountsWhatWasCached()
    {
        var first = await UsageAsync($$"""[{{Picture}},{"type":"text","text":"What was asked before, in some words?"}]""");
        var again = await UsageAsync($$"""[{{Picture}},{"type":"text","text":"What was asked before, in some words? And what is new?"}]""");

        Assert.InRange(again.Cached, first.Cached + 16, again.Prompt - 1); // whole blocks of 16; the picture's own may be known from other tests
    }

    [Theory]
    [InlineData("<image>")]
    [InlineData("<image><image>")]
    [InlineData("</s>")]
    [InlineData("<s>")]
    [InlineData("<unk>")]
    public async Task SpecialTokens_ThatAUserTypes_AreText(string typed)
    {
        var plain = await UsageAsync("\"ab\"");
        var marked = await UsageAsync(JsonSerializer.Serialize($"a{typed}b"));
        Assert.Equal(0, marked.Image);
        // As text it is several tokens; as what it looks like it would be one, and for <image> sixteen.
        Assert.InRange(marked.Prompt - plain.Prompt, 2, 15 + (7 * (typed.Length / 8)));
        var pictured = await UsageAsync($$"""[{"type":"text","text":{{JsonSerializer.Serialize(typed)}}},{{Picture}}]""");
        Assert.Equal(16, pictured.Image);
    }

    [Theory]
    [InlineData("false")]
    [InlineData("true")]
    public async Task Prompt_OverTheContext_NamesBoundAndLength(string stream)
    {
        var error = await ErrorAsync(JsonSerializer.Serialize(new string('q', 3000)), $"\"max_tokens\":5,\"stream\":{stream}", HttpStatusCode.BadRequest);
        Assert.Equal(("context_length_exceeded", "messages"), (error.GetProperty("code").GetString(), error.GetProperty("param").GetString()));
        Assert.Matches("^The prompt must be < 1024 tokens; was [0-9]{4} \\(0 of them pictures\\).$", error.GetProperty("message").GetString()!);
    }

    [Theory]
    [InlineData("none")]
    [InlineData("a_llava15:none")]
    public async Task Model_ThatIsNotServed_IsNotFound(string model)
    {
        foreach (var stream in (string[])["false", "true"])
        {
            var body = $$"""{"model":"{{model}}","messages":[{"role":"user","content":"hi"}],"stream":{{stream}}}""";
            var error = (await served.PostAsync("/v1/chat/completions", body, Cancel, HttpStatusCode.NotFound)).GetProperty("error");
            Assert.Equal(("model_not_found", "model"), (error.GetProperty("code").GetString(), error.GetProperty("param").GetString()));
            Assert.Contains($"\"{model}\"", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Url_OfANetworkThatIsNotPublic_IsNotFetched()
    {
        var content = """[{"type":"image_url","image_url":{"url":"https://127.0.0.1/a.png"}},{"type":"text","text":"hi"}]""";
        var error = await ErrorAsync(content, "", HttpStatusCode.BadRequest);
        Assert.Equal("messages[0].content[0].image_url.url could not be fetched.", error.GetProperty("message").GetString());
    }

    [Fact]
    public async Task Seed_OfASampledAnswer_RepeatsItInEveryForm()
    {
        const string Options = "\"seed\":11,\"temperature\":1,\"max_tokens\":24,\"n\":2";
        var first = await served.ChatAsync("\"hi\"", Options, Cancel);
        var second = await served.ChatAsync("\"hi\"", Options, Cancel);
        Assert.Equal(Texts(first), Texts(second));
        Assert.NotEqual(Texts(first)[0], Texts(first)[1]);
        Assert.Equal(Texts(first), await StreamAsync($$"""{"model":"a_llava15","messages":[{"role":"user","content":"hi"}],{{Options}},"stream":true}""", 2));
    }

    [Fact]
    public async Task StopAndPenalties_ShapeTheAnswer()
    {
        const string Greedy = "\"temperature\":0,\"max_tokens\":40";
        var plain = Texts(await served.ChatAsync("\"hi\"", Greedy, Cancel))[0];
        var stop = plain[(plain.Length / 2)..((plain.Length / 2) + 2)];
        var stopped = await served.ChatAsync("\"hi\"", $"{Greedy},\"stop\":[{JsonSerializer.Serialize(stop)}]", Cancel);
        Assert.Equal(plain[..plain.IndexOf(stop, StringComparison.Ordinal)], Texts(stopped)[0]);
        Assert.Equal("stop", stopped.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.NotEqual(plain, Texts(await served.ChatAsync("\"hi\"", $"{Greedy},\"frequency_penalty\":2,\"presence_penalty\":2", Cancel))[0]);
        Assert.NotEqual(plain, Texts(await served.ChatAsync("\"hi\"", $"{Greedy},\"repetition_penalty\":1.9", Cancel))[0]);
    }

    [Fact]
    public async Task Logprobs_OfGreedyTokens_AreTheHighest()
    {
        var answer = await served.ChatAsync("\"hi\"", "\"temperature\":0,\"max_tokens\":8,\"logprobs\":true,\"top_logprobs\":3", Cancel);
        var tokens = answer.GetProperty("choices")[0].GetProperty("logprobs").GetProperty("content").EnumerateArray().ToArray();
        Assert.Equal(8, tokens.Length);
        Assert.All(tokens, token =>
        {
            var top = token.GetProperty("top_logprobs").EnumerateArray().Select(other => other.GetProperty("logprob").GetDouble()).ToArray();
            Assert.Equal(token.GetProperty("logprob").GetDouble(), top[0]);
            Assert.Equal(top.OrderDescending(), top);
            Assert.Equal(3, top.Length);
        });
    }

    [Fact]
    public async Task Conversation_OfTheServers_IsWhatTheNextTurnIsAsked()
    {
        var first = await RespondAsync("""{"model":"a_llava15","input":[{"role":"user","content":[{"type":"input_text","text":"one"}]}],"max_output_tokens":9,"temperature":0}""");
        var answer = first.GetProperty("output")[0].GetProperty("content")[0].GetProperty("text").GetString()!;
        var next = await RespondAsync($$"""{"model":"a_llava15","input":"two","previous_response_id":"{{first.GetProperty("id").GetString()}}","max_output_tokens":9,"temperature":0}""");
        var resent = await served.PostAsync("/v1/chat/completions", $$"""
            {"model":"a_llava15","max_tokens":9,"temperature":0,"messages":[{"role":"user","content":"one"},{"role":"assistant","content":{{JsonSerializer.Serialize(answer)}}},{"role":"user","content":"two"}]}
            """, Cancel);
        Assert.Equal(Texts(resent)[0], next.GetProperty("output")[0].GetProperty("content")[0].GetProperty("text").GetString());
        Assert.Equal(resent.GetProperty("usage").GetProperty("prompt_tokens").GetInt32(), next.GetProperty("usage").GetProperty("input_tokens").GetInt32());
    }

    private static string[] Texts(JsonElement answer) => [.. answer.GetProperty("choices").EnumerateArray().Select(choice => choice.GetProperty("message").GetProperty("content").GetString()!)];

    private async Task<(int Prompt, int Image, int Cached)> UsageAsync(string content)
    {
        var usage = (await served.ChatAsync(content, "\"max_tokens\":1", Cancel)).GetProperty("usage");
        var details = usage.GetProperty("prompt_tokens_details");
        return (usage.GetProperty("prompt_tokens").GetInt32(), details.GetProperty("image_tokens").GetInt32(), details.GetProperty("cached_tokens").GetInt32());
    }

    private async Task<JsonElement> ErrorAsync(string content, string more, HttpStatusCode status) =>
        (await served.ChatAsync(content, more, Cancel, status)).GetProperty("error");

    private Task<JsonElement> RespondAsync(string body) => served.PostAsync("/v1/responses", body, Cancel);

    private async Task<string[]> StreamAsync(string body, int choices)
    {
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        using var response = await served.Http.PostAsync("/v1/chat/completions", content, Cancel);
        var texts = Enumerable.Repeat("", choices).ToArray();
        await using var stream = await response.Content.ReadAsStreamAsync(Cancel);
        await foreach (var item in SseParser.Create(stream).EnumerateAsync(Cancel))
        {
            foreach (var choice in item.Data == "[DONE]" ? [] : JsonDocument.Parse(item.Data).RootElement.GetProperty("choices").EnumerateArray().ToArray())
            {
                texts[choice.GetProperty("index").GetInt32()] += choice.GetProperty("delta").TryGetProperty("content", out var text) ? text.GetString() : "";
            }
        }

        return texts;
    }
}
