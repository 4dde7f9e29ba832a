using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Gateway.Tests.Fakes;

namespace LlavaCluster.Gateway.Tests.FineTuning;

/// <summary>A tenant's HTTP calls of fine-tuning; a call that does not end as the test says fails it.</summary>
internal sealed class Api(HttpClient http) : IDisposable
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static byte[] Conversations { get; } = Encoding.UTF8.GetBytes("[{\"id\":\"1\",\"conversations\":[{\"from\":\"human\",\"value\":\"Hi\"},{\"from\":\"gpt\",\"value\":\"Hello\"}]}]");

    public static byte[] Zip { get; } = [(byte)'P', (byte)'K', 3, 4, 0, 0];

    public static Api Of(Uri address, string? key = null)
    {
        var http = new HttpClient { BaseAddress = address };
        http.DefaultRequestHeaders.Authorization = key is null ? null : new AuthenticationHeaderValue("Bearer", key);
        return new Api(http);
    }

    /// <summary>A key of a tenant of the scripted grains.</summary>
    public static async Task<string> KeyAsync(FakeGrains grains, string tenant, params string[] scopes) =>
        (await ((ITenantGrain)grains.GetGrain<ITenantGrain>(tenant)).CreateKeyAsync("", [.. scopes], Cancel)).ApiKey;

    public Task<JsonNode> GetAsync(string path, HttpStatusCode status = HttpStatusCode.OK) => SendAsync(HttpMethod.Get, path, null, status);

    public Task<JsonNode> PostAsync(string path, JsonNode? body = null, HttpStatusCode status = HttpStatusCode.OK, string? idempotencyKey = null) => SendAsync(HttpMethod.Post, path, body, status, idempotencyKey);

    public Task<JsonNode> DeleteAsync(string path, HttpStatusCode status = HttpStatusCode.OK) => SendAsync(HttpMethod.Delete, path, null, status);

    public Task<byte[]> BytesAsync(string path) => http.GetByteArrayAsync(path, Cancel);

    public Task<HttpResponseMessage> RawAsync(HttpRequestMessage request) => http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);

    public async Task<string> UploadAsync(byte[]? content = null, string name = "data.json") => (string)(await UploadAsync(content ?? Conversations, "fine-tune", HttpStatusCode.OK, name))["id"]!;

    /// <param name="purposeLast">As some clients send it.</param>
    public async Task<JsonNode> UploadAsync(byte[] content, string? purpose, HttpStatusCode status, string name = "data.json", bool purposeLast = false)
    {
        using var form = new MultipartFormDataContent();
        if (purpose is not null && !purposeLast)
        {
            form.Add(new StringContent(purpose), "purpose");
        }

        form.Add(new ByteArrayContent(content), "file", name);
        if (purpose is not null && purposeLast)
        {
            form.Add(new StringContent(purpose), "purpose");
        }

        return await PostFormAsync("/v1/files", form, status);
    }

    public async Task<JsonNode> PostFormAsync(string path, MultipartFormDataContent form, HttpStatusCode status = HttpStatusCode.OK)
    {
        using var response = await http.PostAsync(path, form, Cancel);
        return await ReadAsync(response, status);
    }

    public void Dispose() => http.Dispose();

    private static async Task<JsonNode> ReadAsync(HttpResponseMessage response, HttpStatusCode status)
    {
        var text = await response.Content.ReadAsStringAsync(Cancel);
        Assert.True(response.StatusCode == status, $"{(int)response.StatusCode} {text}");
        return JsonNode.Parse(text)!;
    }

    private async Task<JsonNode> SendAsync(HttpMethod method, string path, JsonNode? body, HttpStatusCode status, string? idempotencyKey = null)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : JsonContent.Create(body) };
        if (idempotencyKey is not null)
        {
            request.Headers.Add("Idempotency-Key", idempotencyKey);
        }

        using var response = await http.SendAsync(request, Cancel);
        return await ReadAsync(response, status);
    }
}
