using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using LlavaCluster.Gateway.Tests.Fakes;

namespace LlavaCluster.Gateway.Tests.Http;

/// <summary>Bodies that are no request: each has a clear error, and the log of the server has none.</summary>
public sealed class HostileBodyTests : IAsyncLifetime
{
    private const string Chat = "/v1/chat/completions";
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
        Assert.DoesNotContain(_server.Logs.Lines, line => line.StartsWith("Error", StringComparison.Ordinal));
        await _server.DisposeAsync();
    }

    [Theory]
    [InlineData("""{"\ud800":1,"model":"llava-test"}""", "body", "must have names of well-formed Unicode.")]
    [InlineData("{\"logit_bias\":{\"\\ud800\":1}}", "logit_bias", "must be well-formed Unicode.")]
    [InlineData("{\"logit_bias\":{\"\u00ff\":1}}", "logit_bias", "must be well-formed Unicode.")]
    [InlineData("{\"model\":\"\u00ff\"}", "model", "must be well-formed Unicode.")]
    [InlineData("{\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{\"title\":\"\u00ff\"}}}}", "response_format.json_schema.schema", "must be well-formed Unicode.")]
    [InlineData("""{"logit_bias":{"12345678901234567890123456789012345678901234567890":"x"}}""", "logit_bias.1234567890123456789012345678901234567890...", "must be a number; was a string.")]
    [InlineData("""{"tools":[{"type":"function"}]}""", "tools", "must be empty: no served model calls tools; held 1.")]
    [InlineData("""{"modalities":["text","audio"]}""", "modalities", "must hold only text; held \"audio\".")]
    [InlineData("[]", "body", "must be an object; was an array.")]
    [InlineData("null", "body", "must be an object; was null.")]
    public async Task Json_ThatIsNoRequest_IsRefusedByField(string body, string field, string rule)
    {
        var error = await PostAsync(Chat, Encoding.Latin1.GetBytes(body), "application/json", HttpStatusCode.BadRequest);
        Assert.Equal((field, $"{field} {rule}"), (error.GetProperty("param").GetString(), error.GetProperty("message").GetString()));
    }

    [Theory]
    [InlineData("", "application/json", 400, "invalid_json")]
    [InlineData("{", "application/json", 400, "invalid_json")]
    [InlineData("{\"temperature\":NaN}", "application/json", 400, "invalid_json")]
    [InlineData("{}", "text/plain", 415, "unsupported_content_type")]
    [InlineData("{}", "application/x-www-form-urlencoded", 415, "unsupported_content_type")]
    public async Task Json_ThatIsNone_IsRefused(string body, string type, int status, string code)
    {
        var error = await PostAsync(Chat, Encoding.UTF8.GetBytes(body), type, (HttpStatusCode)status);
        Assert.Equal(code, error.GetProperty("code").GetString());
    }

    [Fact]
    public async Task Json_TooDeep_NamesTheBound()
    {
        var error = await PostAsync(Chat, Encoding.UTF8.GetBytes(new string('[', 100_000)), "application/json", HttpStatusCode.BadRequest);
        Assert.StartsWith("The body must be JSON of at most 64 levels;", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false, "The body must be at most 33554432 bytes; was 33554433.")]
    [InlineData(true, "The body must be at most 33554432 bytes; was more.")]
    public async Task Body_TooLarge_NamesTheBound(bool chunked, string message)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, Chat) { Content = new ByteArrayContent(new byte[(32 << 20) + 1]) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.TransferEncodingChunked = chunked;
        // The server answers before it has read the body, and reads no more of it.
        request.Headers.ExpectContinue = true;
        using var response = await _http.SendAsync(request, Cancel);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        Assert.Equal(message, await MessageAsync(response));
    }

    [Theory]
    [InlineData("multipart/form-data", "abc", "The body must be well-formed multipart/form-data.")]
    [InlineData("multipart/form-data; boundary=x", "abc", "The body must be well-formed multipart/form-data.")]
    [InlineData("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nabc", "The body must be well-formed multipart/form-data.")]
    [InlineData("multipart/form-data; boundary=x", "--x\r\nno header\r\n\r\nabc\r\n--x--\r\n", "The body must be well-formed multipart/form-data.")]
    [InlineData("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nabc\r\n--x--\r\n", "file is required.")]
    [InlineData("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--x--\r\n", "purpose must be vision or fine-tune; was \"batch\".")]
    [InlineData("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nabc\r\n--x--\r\n", "file must be a PNG, JPEG, WebP, GIF or BMP file.")]
    public async Task Upload_ThatIsNone_IsRefused(string type, string body, string message)
    {
        var error = await PostAsync("/v1/files", Encoding.UTF8.GetBytes(body), type, HttpStatusCode.BadRequest);
        Assert.Equal(message, error.GetProperty("message").GetString());
    }

    [Theory]
    [InlineData("PUT", Chat, 405, "method_not_allowed")]
    [InlineData("DELETE", "/v1/models", 405, "method_not_allowed")]
    [InlineData("POST", "/v1/nothing", 404, "unknown_url")]
    [InlineData("GET", "/v1/chat/completions/chatcmpl-0123/events", 404, "not_found")]
    [InlineData("GET", "/v1/models/none", 404, "model_not_found")]
    public async Task Url_ThatTakesNothing_SaysSo(string method, string path, int status, string code)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        using var response = await _http.SendAsync(request, Cancel);
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal(code, JsonDocument.Parse(await response.Content.ReadAsStringAsync(Cancel)).RootElement.GetProperty("error").GetProperty("code").GetString());
    }

    private static async Task<string> MessageAsync(HttpResponseMessage response) => (await ErrorAsync(response)).GetProperty("message").GetString()!;

    private static async Task<JsonElement> ErrorAsync(HttpResponseMessage response)
    {
        Assert.Equal("application/json", response.Content.Headers.ContentType!.MediaType);
        return JsonDocument.Parse(await response.Content.ReadAsStringAsync(Cancel)).RootElement.GetProperty("error");
    }

    private async Task<JsonElement> PostAsync(string path, byte[] body, string type, HttpStatusCode status)
    {
        using var content = new ByteArrayContent(body);
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        using var response = await _http.PostAsync(path, content, Cancel);
        var error = await ErrorAsync(response);
        Assert.True(response.StatusCode == status, $"{(int)response.StatusCode} {error.GetRawText()}");
        return error;
    }
}
