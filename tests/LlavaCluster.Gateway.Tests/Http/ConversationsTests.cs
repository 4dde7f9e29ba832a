using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Gateway.Tests.Fakes;

namespace LlavaCluster.Gateway.Tests.Http;

/// <summary>/v1/conversations and the responses in them.</summary>
public sealed class ConversationsTests : IAsyncLifetime
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
    public async Task Create_MakesAConversationThatIsThereUntilItIsDeleted()
    {
        var id = (string)(await SendAsync(HttpMethod.Post, "/v1/conversations", null))["id"]!;
        Assert.Equal(id, (string)(await SendAsync(HttpMethod.Get, $"/v1/conversations/{id}", null))["id"]!);
        Assert.Equal("""{"object":"list","data":[],"first_id":null,"last_id":null,"has_more":false}""", (await SendAsync(HttpMethod.Get, $"/v1/conversations/{id}/items", null)).ToJsonString());
        Assert.True((bool)(await SendAsync(HttpMethod.Delete, $"/v1/conversations/{id}", null))["deleted"]!);
        await SendAsync(HttpMethod.Get, $"/v1/conversations/{id}", null, HttpStatusCode.NotFound);
        await SendAsync(HttpMethod.Delete, $"/v1/conversations/{id}", null, HttpStatusCode.NotFound);
    }

    [Theory]
    [InlineData("""{"items":[{"role":"user","content":"hi"}]}""", "items", "must be empty: a message enters a conversation as the input of a response; held 1.")]
    [InlineData("""{"metadata":{"a":"b"}}""", "metadata", "must be empty: this server does not keep metadata.")]
    [InlineData("""{"items":{}}""", "items", "must be an array; was an object.")]
    [InlineData("3", "body", "must be an object; was a number.")]
    public async Task Create_WithWhatCannotBeKept_SaysSo(string body, string field, string rule)
    {
        var error = (await SendAsync(HttpMethod.Post, "/v1/conversations", JsonNode.Parse(body), HttpStatusCode.BadRequest))["error"]!;
        Assert.Equal((field, $"{field} {rule}"), ((string)error["param"]!, (string)error["message"]!));
        Assert.Empty(_server.Grains.Conversations);
    }

    [Fact]
    public async Task Responses_InAConversation_FollowEachOtherAndAreItsItems()
    {
        var id = (string)(await SendAsync(HttpMethod.Post, "/v1/conversations", new JsonObject()))["id"]!;
        var first = await RespondAsync(new JsonObject { ["conversation"] = id, ["input"] = "one" });
        var second = await RespondAsync(new JsonObject { ["conversation"] = new JsonObject { ["id"] = id }, ["input"] = "two" });
        var again = await RespondAsync(new JsonObject { ["conversation"] = id, ["input"] = "one", ["from_start"] = true });

        Assert.Equal((null, (string)first["id"]!, null), ((string?)first["previous_response_id"], (string?)second["previous_response_id"], (string?)again["previous_response_id"]));
        Assert.Equal(id, (string)second["conversation"]!["id"]!);
        var turns = (await SendAsync(HttpMethod.Get, $"/v1/conversations/{id}/turns", null))["data"]!.AsArray();
        Assert.Equal(3, turns.Count);
        var items = (await SendAsync(HttpMethod.Get, $"/v1/conversations/{id}/items", null))["data"]!.AsArray();
        Assert.Equal(["user", "assistant"], items.Select(item => (string)item!["role"]!));
        Assert.Equal("A red apple.", (string)items[1]!["content"]![0]!["text"]!);
    }

    [Theory]
    [InlineData("conv_never", false)]
    [InlineData("conv_never", true)]
    [InlineData("never", false)]
    [InlineData("conv_../../x", false)]
    public async Task Response_InAnUnknownConversation_IsRefusedAndBeginsNothing(string conversation, bool fromStart)
    {
        var body = new JsonObject { ["conversation"] = conversation, ["input"] = "hi", ["from_start"] = fromStart, ["model"] = "llava-test" };
        var error = (await SendAsync(HttpMethod.Post, "/v1/responses", body, HttpStatusCode.NotFound))["error"]!;
        Assert.Equal(("conversation", "There is no such conversation."), ((string)error["param"]!, (string)error["message"]!));
        Assert.Empty(_server.Script.Begun);
    }

    [Fact]
    public async Task Response_TellsItsInstructionsAndFormat()
    {
        // As deep as a body may be, and the response has some levels around it.
        var schema = JsonNode.Parse(string.Concat(Enumerable.Repeat("""{"not":""", 60)) + "{}" + new string('}', 60))!;
        var body = new JsonObject { ["input"] = "hi", ["instructions"] = "Be brief.", ["text"] = new JsonObject { ["format"] = new JsonObject { ["type"] = "json_schema", ["name"] = "x", ["schema"] = schema } } };
        var response = await RespondAsync(body);
        Assert.Equal("Be brief.", (string)response["instructions"]!);
        Assert.True(JsonNode.DeepEquals(schema, response["text"]!["format"]!["schema"]));
        body["stream"] = true;
        using var streamed = await _http.PostAsJsonAsync("/v1/responses", body, Cancel);
        Assert.Equal("response.completed", (await SseReader.ReadAllAsync(streamed, Cancel))[^1].Name);
    }

    [Fact]
    public async Task Response_OfAFailingTurn_NamesTheProtocolsField()
    {
        _server.Script.Pieces = [];
        _server.Script.Failure = new ChatFailure(ChatFailureKind.InvalidRequest, "json_schema: at $: no such type", ConstraintFields.JsonSchema);
        var body = new JsonObject { ["input"] = "hi", ["model"] = "llava-test" };
        var error = (await SendAsync(HttpMethod.Post, "/v1/responses", body, HttpStatusCode.BadRequest))["error"]!;
        Assert.Equal(("text.format", "json_schema: at $: no such type"), ((string)error["param"]!, (string)error["message"]!));
    }

    [Fact]
    public async Task Stream_ResumedAfterAnyEvent_SendsExactlyTheRest()
    {
        var body = new JsonObject { ["input"] = "hi", ["stream"] = true, ["model"] = "llava-test" };
        using var response = await _http.PostAsJsonAsync("/v1/responses", body, Cancel);
        var whole = await SseReader.ReadAllAsync(response, Cancel);
        var id = JsonDocument.Parse(whole[0].Data).RootElement.GetProperty("response").GetProperty("id").GetString();
        foreach (var seen in whole)
        {
            var rest = whole.SkipWhile(sent => sent != seen).Skip(1).Select(sent => (sent.Id, sent.Name)).ToArray();
            Assert.Equal(rest, await ResumeAsync($"/v1/responses/{id}?stream=true&starting_after={seen.Id}", null));
            Assert.Equal(rest, await ResumeAsync($"/v1/responses/{id}?stream=true", seen.Id));
            // A browser's EventSource goes back to the address it began with; what it has seen since is in the header.
            Assert.Equal(rest, await ResumeAsync($"/v1/responses/{id}?stream=true&starting_after=0", seen.Id));
        }

        Assert.Equal(whole.Length, (await ResumeAsync($"/v1/responses/{id}?stream=true", null)).Length);
    }

    [Fact]
    public async Task Response_SentTwiceWithOneIdempotencyKey_BeginsOnce()
    {
        var ids = new List<string>();
        foreach (var input in (string[])["hi", "hi"])
        {
            var (status, response) = await RepeatAsync("call-7", input);
            Assert.Equal(HttpStatusCode.OK, status);
            ids.Add((string)response["id"]!);
        }

        Assert.Equal(ids[0], ids[1]);
        Assert.Single(_server.Script.Begun);
        Assert.False(_server.Script.Last.Transient);
        Assert.Equal(HttpStatusCode.Conflict, (await RepeatAsync("call-7", "something else")).Status);
        Assert.NotEqual(ids[0], (string)(await RepeatAsync("call-8", "hi")).Body["id"]!);
    }

    private async Task<(HttpStatusCode Status, JsonNode Body)> RepeatAsync(string key, string input)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/responses") { Content = JsonContent.Create(new { model = "llava-test", input }) };
        request.Headers.Add("Idempotency-Key", key);
        using var response = await _http.SendAsync(request, Cancel);
        return (response.StatusCode, JsonNode.Parse(await response.Content.ReadAsStringAsync(Cancel))!);
    }

    private async Task<(string? Id, string? Name)[]> ResumeAsync(string path, string? lastEventId)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (lastEventId is not null)
        {
            request.Headers.Add("Last-Event-ID", lastEventId);
        }

        using var response = await _http.SendAsync(request, Cancel);
        return [.. (await SseReader.ReadAllAsync(response, Cancel)).Select(sent => (sent.Id, sent.Name))];
    }

    private async Task<JsonNode> RespondAsync(JsonObject body)
    {
        body["model"] = "llava-test";
        return await SendAsync(HttpMethod.Post, "/v1/responses", body);
    }

    private async Task<JsonNode> SendAsync(HttpMethod method, string path, JsonNode? body, HttpStatusCode status = HttpStatusCode.OK)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : JsonContent.Create(body) };
        using var response = await _http.SendAsync(request, Cancel);
        var text = await response.Content.ReadAsStringAsync(Cancel);
        Assert.True(response.StatusCode == status, $"{(int)response.StatusCode} {text}");
        return JsonNode.Parse(text)!;
    }
}
