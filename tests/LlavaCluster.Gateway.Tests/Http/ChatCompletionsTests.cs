using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Gateway.Tests.Fakes;

namespace LlavaCluster.Gateway.Tests.Http;

public sealed class ChatCompletionsTests : IAsyncLifetime
{
    private GatewayServer _server = null!;
    private HttpClient _http = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await GatewayServer.StartAsync();
        _http = _server.Http();
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Post_AnswersWholeWithUsage()
    {
        using var response = await _http.PostAsJsonAsync("/v1/chat/completions", Ask("What is it?"), Cancel);
        var body = await ReadAsync(response, HttpStatusCode.OK);
        Assert.Equal("chat.completion", body.GetProperty("object").GetString());
        var choice = body.GetProperty("choices")[0];
        Assert.Equal("A red apple.", choice.GetProperty("message").GetProperty("content").GetString());
        Assert.Equal("assistant", choice.GetProperty("message").GetProperty("role").GetString());
        Assert.Equal("stop", choice.GetProperty("finish_reason").GetString());
        Assert.Equal(
            """{"prompt_tokens":20,"completion_tokens":3,"total_tokens":23,"prompt_tokens_details":{"cached_tokens":4,"image_tokens":9}}""",
            body.GetProperty("usage").GetRawText());
    }

    [Fact]
    public async Task Post_Streamed_SendsRoleDeltasFinishUsageAndDone()
    {
        var events = await StreamAsync(Ask("What is it?", stream: true, usage: true));
        Assert.Equal([null, "1", "2", "3", "4", null, null], events.Select(sent => sent.Id));
        Assert.Equal("""{"role":"assistant","content":""}""", Delta(events[0]).GetRawText());
        Assert.Equal(["A ", "red ", "apple."], events[1..4].Select(sent => Delta(sent).GetProperty("content").GetString()));
        Assert.Equal("stop", Choice(events[4]).GetProperty("finish_reason").GetString());
        Assert.All(events[..5], sent => Assert.Equal(JsonValueKind.Null, JsonDocument.Parse(sent.Data).RootElement.GetProperty("usage").ValueKind));
        Assert.Equal(0, JsonDocument.Parse(events[5].Data).RootElement.GetProperty("choices").GetArrayLength());
        Assert.Equal(23, JsonDocument.Parse(events[5].Data).RootElement.GetProperty("usage").GetProperty("total_tokens").GetInt32());
        Assert.Equal("[DONE]", events[6].Data);
    }

    [Fact]
    public async Task Post_AnsweredByAnAdapter_NamesItsVersionInEveryChunk()
    {
        using var plain = await _http.PostAsJsonAsync("/v1/chat/completions", Ask("What is it?"), Cancel);
        Assert.False((await ReadAsync(plain, HttpStatusCode.OK)).TryGetProperty("system_fingerprint", out _));

        var version = Abstractions.Identity.ObjectId.Of([1]);
        _server.Script.Adapter = version;
        using var whole = await _http.PostAsJsonAsync("/v1/chat/completions", Ask("What is it?"), Cancel);
        Assert.Equal(version.Value, (await ReadAsync(whole, HttpStatusCode.OK)).GetProperty("system_fingerprint").GetString());
        var events = await StreamAsync(Ask("What is it?", stream: true, usage: true));
        Assert.All(events[..^1], sent => Assert.Equal(version.Value, JsonDocument.Parse(sent.Data).RootElement.GetProperty("system_fingerprint").GetString()));
    }

    [Fact]
    public async Task Responses_AnsweredByAnAdapter_NameItsVersionInTheirMetadata()
    {
        var version = Abstractions.Identity.ObjectId.Of([1]);
        _server.Script.Adapter = version;
        using var whole = await _http.PostAsJsonAsync("/v1/responses", new { model = "llava-test", input = "What is it?" }, Cancel);
        var response = await ReadAsync(whole, HttpStatusCode.OK);
        Assert.Equal(version.Value, response.GetProperty("metadata").GetProperty("system_fingerprint").GetString());
        using var again = await _http.GetAsync($"/v1/responses/{response.GetProperty("id").GetString()}", Cancel);
        Assert.Equal(version.Value, (await ReadAsync(again, HttpStatusCode.OK)).GetProperty("metadata").GetProperty("system_fingerprint").GetString());
        _server.Script.Adapter = null;
        using var plain = await _http.PostAsJsonAsync("/v1/responses", new { model = "llava-test", input = "What is it?" }, Cancel);
        Assert.Equal("{}", (await ReadAsync(plain, HttpStatusCode.OK)).GetProperty("metadata").GetRawText());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Resume_AfterAnyEvent_SendsExactlyTheRest(int seen)
    {
        var whole = await StreamAsync(Ask("What is it?", stream: true, usage: true));
        var id = JsonDocument.Parse(whole[0].Data).RootElement.GetProperty("id").GetString();
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/v1/chat/completions/{id}/events?include_usage=true&after=9");
        request.Headers.TryAddWithoutValidation("Last-Event-ID", $"{seen}");
        using var response = await _http.SendAsync(request, Cancel);
        var rest = await SseReader.ReadAllAsync(response, Cancel);
        Assert.Equal(seen == 0 ? whole : whole[(seen + 1)..], rest);
    }

    [Fact]
    public async Task Post_WithManyChoicesAndLogprobs_KeepsThemApart()
    {
        var body = Ask("What is it?");
        body["n"] = 2;
        body["logprobs"] = true;
        body["top_logprobs"] = 1;
        using var response = await _http.PostAsJsonAsync("/v1/chat/completions", body, Cancel);
        var choices = (await ReadAsync(response, HttpStatusCode.OK)).GetProperty("choices");
        Assert.Equal(2, choices.GetArrayLength());
        Assert.Equal("A red apple.", choices[1].GetProperty("message").GetProperty("content").GetString());
        Assert.Equal(
            """{"token":"A ","logprob":-0.25,"bytes":[65,32],"top_logprobs":[{"token":"t0","logprob":-1,"bytes":[116,48]}]}""",
            choices[1].GetProperty("logprobs").GetProperty("content")[0].GetRawText());
    }

    [Fact]
    public async Task Post_PassesEveryOptionOn()
    {
        var body = Ask("hi");
        foreach (var (name, value) in new Dictionary<string, object>
        {
            ["max_completion_tokens"] = 17, ["temperature"] = 0.5, ["top_p"] = 0.25, ["top_k"] = 40, ["min_p"] = 0.125, ["repetition_penalty"] = 1.5, ["frequency_penalty"] = -1,
            ["presence_penalty"] = 2, ["seed"] = -1, ["stop"] = new[] { "a", "b" }, ["logit_bias"] = new Dictionary<string, int> { ["5"] = -100 }, ["guided_choice"] = new[] { "yes", "no" }, ["no_such_field"] = new { a = 1 },
        })
        {
            body[name] = value;
        }

        using var response = await _http.PostAsJsonAsync("/v1/chat/completions", body, Cancel);
        await ReadAsync(response, HttpStatusCode.OK);
        var options = _server.Script.Last.Options;
        Assert.Equal((17, 0.5, 0.25, 40, 0.125, 1.5), (options.MaxTokens, options.Temperature, options.TopP, options.TopK, options.MinP, options.RepetitionPenalty));
        Assert.Equal((-1.0, 2.0, ulong.MaxValue, -100f), (options.FrequencyPenalty, options.PresencePenalty, options.Seed, options.LogitBias[5]));
        Assert.Equal(["a", "b"], options.Stop);
        Assert.Equal((ConstraintKind.Choice, "yes,no"), (options.Constraint!.Kind, string.Join(',', options.Constraint.Texts)));
        Assert.True(_server.Script.Last.Transient);
    }

    [Fact]
    public async Task Post_ToIgnoreItsEnd_GoesOnToTheBound_UnlessTheAnswerIsConstrained()
    {
        var body = Ask("hi");
        body["ignore_eos"] = true;
        using var response = await _http.PostAsJsonAsync("/v1/chat/completions", body, Cancel);
        await ReadAsync(response, HttpStatusCode.OK);
        Assert.True(_server.Script.Last.Options.IgnoreEos);
        body["guided_choice"] = new[] { "yes", "no" };
        using var both = await _http.PostAsJsonAsync("/v1/chat/completions", body, Cancel);
        var error = (await ReadAsync(both, HttpStatusCode.BadRequest)).GetProperty("error");
        Assert.Equal("ignore_eos must not be true together with guided_choice: what is whole cannot go on.", error.GetProperty("message").GetString());
    }

    [Fact]
    public async Task Post_WithPicture_StoresItAndKeepsTheOrderOfParts()
    {
        var png = TestImages.Png();
        object[] content = [new { type = "text", text = "before" }, new { type = "image_url", image_url = new { url = TestImages.DataUrl(png), detail = "low" } }, new { type = "text", text = "after <image>" }];
        var body = new Dictionary<string, object> { ["model"] = "llava-test", ["messages"] = new[] { new { role = "user", content } } };
        using var response = await _http.PostAsJsonAsync("/v1/chat/completions", body, Cancel);
        await ReadAsync(response, HttpStatusCode.OK);
        var parts = _server.Script.Last.Messages[0].Parts;
        Assert.Equal(["before", null, "after <image>"], parts.Select(part => part.Text));
        Assert.Equal(Abstractions.Identity.ImageId.Of(png), parts[1].Image);
    }

    [Fact]
    public async Task Post_ThatResendsItsHistory_KeepsItsAffinity()
    {
        using var first = await _http.PostAsJsonAsync("/v1/chat/completions", Ask("one"), Cancel);
        var body = Ask("one");
        body["messages"] = new object[] { new { role = "user", content = "one" }, new { role = "assistant", content = "A red apple." }, new { role = "user", content = "two" } };
        using var second = await _http.PostAsJsonAsync("/v1/chat/completions", body, Cancel);
        using var other = await _http.PostAsJsonAsync("/v1/chat/completions", Ask("other"), Cancel);
        var keys = _server.Script.Begun.Select(request => request.AffinityKey).ToArray();
        Assert.Equal(keys[0], keys[1]);
        Assert.NotEqual(keys[0], keys[2]);
    }

    [Fact]
    public async Task Post_WithTheSameIdempotencyKey_BeginsOnce()
    {
        for (var i = 0; i < 2; i++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = JsonContent.Create(Ask("hi")) };
            request.Headers.Add("Idempotency-Key", "call-7");
            using var response = await _http.SendAsync(request, Cancel);
            await ReadAsync(response, HttpStatusCode.OK);
        }

        Assert.Single(_server.Script.Begun);
        using var different = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = JsonContent.Create(Ask("something else")) };
        different.Headers.Add("Idempotency-Key", "call-7");
        using var conflict = await _http.SendAsync(different, Cancel);
        Assert.Equal(HttpStatusCode.Conflict, conflict.StatusCode);
    }

    [Fact]
    public async Task Post_AbandonedBeforeItsAnswer_StopsTheTurn()
    {
        _server.Script.Gated = true;
        using var abort = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        _server.Script.BeforeBegin = _ => Task.CompletedTask;
        var call = _http.PostAsJsonAsync("/v1/chat/completions", Ask("hi"), abort.Token);
        while (_server.Script.Begun.IsEmpty)
        {
            await Task.Yield();
        }

        await abort.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        var (turn, running) = await _server.Script.Cancellations.Reader.ReadAsync(Cancel);
        Assert.Equal((_server.Script.Last.TurnId, true), (turn, running));
    }

    [Fact]
    public async Task Post_AbandonedWhileItBegins_StopsTheTurn()
    {
        using var abort = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var begins = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _server.Script.BeforeBegin = cancellationToken =>
        {
            begins.SetResult();
            return Task.Delay(Timeout.Infinite, cancellationToken);
        };
        var call = _http.PostAsJsonAsync("/v1/chat/completions", Ask("hi"), abort.Token);
        await begins.Task.WaitAsync(Cancel);
        await abort.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        // Whether the turn began nobody knows, so it is stopped in case it did.
        Assert.NotEqual(Guid.Empty, (await _server.Script.Cancellations.Reader.ReadAsync(Cancel)).Turn);
    }

    [Fact]
    public async Task Stream_ThatFailsBeforeItsFirstWord_HasTheFailuresStatus()
    {
        _server.Script.Pieces = [];
        _server.Script.Failure = new ChatFailure(ChatFailureKind.InvalidRequest, "regex: '[' is not closed, at position 6", ConstraintFields.Regex);
        using var response = await _http.PostAsJsonAsync("/v1/chat/completions", Ask("hi", stream: true), Cancel);
        var error = (await ReadAsync(response, HttpStatusCode.BadRequest)).GetProperty("error");
        Assert.Equal("""{"message":"regex: '[' is not closed, at position 6","type":"invalid_request_error","param":"guided_regex","code":"invalid_request"}""", error.GetRawText());
    }

    [Fact]
    public async Task Stream_WithoutUsageAskedFor_HasNone()
    {
        var events = await StreamAsync(Ask("What is it?", stream: true));
        Assert.All(events[..^1], sent => Assert.False(JsonDocument.Parse(sent.Data).RootElement.TryGetProperty("usage", out _)));
    }

    [Fact]
    public async Task Stream_ThatFails_EndsWithAnErrorObject()
    {
        _server.Script.Failure = new ChatFailure(ChatFailureKind.ModelUnavailable, "No worker serves llava-test now.");
        var events = await StreamAsync(Ask("hi", stream: true));
        Assert.Equal("""{"error":{"message":"No worker serves llava-test now.","type":"server_error","param":null,"code":"model_unavailable"}}""", events[^1].Data);
    }

    private static Dictionary<string, object> Ask(string text, bool stream = false, bool usage = false) => new()
    {
        ["model"] = "llava-test",
        ["messages"] = new[] { new { role = "user", content = text } },
        ["stream"] = stream,
        ["stream_options"] = new { include_usage = usage },
    };

    private static JsonElement Choice(SseEvent sent) => JsonDocument.Parse(sent.Data).RootElement.GetProperty("choices")[0];

    private static JsonElement Delta(SseEvent sent) => Choice(sent).GetProperty("delta");

    private static async Task<JsonElement> ReadAsync(HttpResponseMessage response, HttpStatusCode status)
    {
        var text = await response.Content.ReadAsStringAsync(Cancel);
        Assert.True(response.StatusCode == status, text);
        return JsonDocument.Parse(text).RootElement;
    }

    private async Task<SseEvent[]> StreamAsync(Dictionary<string, object> body)
    {
        using var response = await _http.PostAsJsonAsync("/v1/chat/completions", body, Cancel);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        return await SseReader.ReadAllAsync(response, Cancel);
    }
}
