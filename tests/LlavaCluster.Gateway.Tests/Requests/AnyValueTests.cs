using System.Net.Http.Headers;
using System.Text.Json;
using CsCheck;
using LlavaCluster.Gateway.Tests.Fakes;

namespace LlavaCluster.Gateway.Tests.Requests;

/// <summary>Any JSON value in any field of a request is answered, or refused by an error that names that field. It never is the server's failure.</summary>
public sealed class AnyValueTests : IAsyncLifetime
{
    private static readonly string[] Options =
    [
        "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "frequency_penalty", "presence_penalty", "seed", "stop", "logit_bias", "n", "logprobs", "top_logprobs",
        "guided_regex", "guided_choice", "tools", "modalities", "model", "stream", "unknown_field",
    ];

    private static readonly Gen<string> ChatFields = JsonText.OneOf([.. Options, "max_tokens", "max_completion_tokens", "messages", "stream_options", "response_format"]);
    private static readonly Gen<string> ResponseFields = JsonText.OneOf([.. Options, "max_output_tokens", "input", "instructions", "text", "previous_response_id", "conversation", "store", "from_start", "background"]);

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
    public Task ChatCompletions_WithAnyFieldReplaced_AnswerOrNameIt() => Gen.Select(ChatFields, JsonText.Any).SampleAsync(
        (field, value) => CheckAsync("/v1/chat/completions", field, value, ["model", "messages"], """{"model":"llava-test","messages":[{"role":"user","content":"hi"}]"""),
        iter: 1500);

    [Fact]
    public Task Responses_WithAnyFieldReplaced_AnswerOrNameIt() => Gen.Select(ResponseFields, JsonText.Any).SampleAsync(
        (field, value) => CheckAsync("/v1/responses", field, value, ["model", "input"], """{"model":"llava-test","input":"hi" """),
        iter: 1500);

    [Fact]
    public Task ChatCompletions_WithAnyMessage_AnswerOrNameIt() => Gen.Select(JsonText.OneOf("role", "content", "name"), JsonText.Any).SampleAsync(
        (field, value) => CheckAsync("/v1/chat/completions", "messages", $$"""[{"role":"user","content":"hi","{{field}}":{{value}}}]""", ["model"], """{"model":"llava-test" """),
        iter: 1000);

    /// <summary>Of a name that comes twice the last value counts, so that one body serves for every field.</summary>
    private async Task CheckAsync(string path, string field, string value, string[] required, string start)
    {
        var body = JsonText.Bytes($"{start},\"{field}\":{value}}}");
        using var content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        using var response = await _http.PostAsync(path, content, Cancel);
        var text = await response.Content.ReadAsStringAsync(Cancel);
        if (response.IsSuccessStatusCode)
        {
            return;
        }

        Assert.True((int)response.StatusCode is 400 or 404, $"{(int)response.StatusCode} {text}");
        var error = JsonDocument.Parse(text).RootElement.GetProperty("error");
        var (param, message) = (error.GetProperty("param").GetString()!, error.GetProperty("message").GetString()!);
        Assert.True(Names(param, field) || (value == "null" && required.Contains(param)), $"{field} was wrong and {param} was named: {text}");
        Assert.True(message.Length < 1000, message);
        Assert.Equal("invalid_request_error", error.GetProperty("type").GetString());
    }

    private static bool Names(string param, string field) =>
        param == field || param.StartsWith($"{field}.", StringComparison.Ordinal) || param.StartsWith($"{field}[", StringComparison.Ordinal);
}
