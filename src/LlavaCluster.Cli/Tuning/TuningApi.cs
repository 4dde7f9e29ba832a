using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlavaCluster.Cli.Tuning;

/// <summary>A server's files, jobs and adapters over HTTP. The connection stays the caller's.</summary>
/// <param name="http">Its base address is the server's root, with a slash at the end; it has no timeout of its own.</param>
internal sealed class TuningApi(HttpClient http, TimeProvider time)
{
    private const string Done = "[DONE]";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <exception cref="TuningApiException">The server refused.</exception>
    /// <exception cref="HttpRequestException">It cannot be reached.</exception>
    public Task<JsonObject> GetAsync(string path, CancellationToken cancellationToken) => SendAsync(HttpMethod.Get, path, null, cancellationToken);

    /// <inheritdoc cref="GetAsync"/>
    public Task<JsonObject> PostAsync(string path, JsonObject? body, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, path, body is null ? null : new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json"), cancellationToken);

    /// <inheritdoc cref="GetAsync"/>
    public Task<JsonObject> DeleteAsync(string path, CancellationToken cancellationToken) => SendAsync(HttpMethod.Delete, path, null, cancellationToken);

    /// <summary>Sends a file with fields before it, as it is read.</summary>
    /// <param name="content">Disposed with the request.</param>
    /// <inheritdoc cref="GetAsync"/>
    public async Task<JsonObject> UploadAsync(string path, Stream content, string name, IEnumerable<KeyValuePair<string, string>> fields, CancellationToken cancellationToken)
    {
        using var form = new MultipartFormDataContent();
        foreach (var (field, text) in fields)
        {
            form.Add(new StringContent(text), field);
        }

        var file = new StreamContent(content);
        file.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        form.Add(file, "file", name);
        return await SendAsync(HttpMethod.Post, path, form, cancellationToken);
    }

    /// <summary>Every entry of a list, page by page.</summary>
    /// <inheritdoc cref="GetAsync"/>
    public async IAsyncEnumerable<JsonObject> ListAsync(string path, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string? after = null;
        while (true)
        {
            var page = await GetAsync(after is null ? path : $"{path}{(path.Contains('?', StringComparison.Ordinal) ? '&' : '?')}after={after}", cancellationToken);
            foreach (var entry in page["data"]!.AsArray())
            {
                yield return entry!.AsObject();
            }

            if (page["has_more"]?.GetValue<bool>() != true)
            {
                yield break;
            }

            after = (string)page["last_id"]!;
        }
    }

    /// <summary>Saves what is at a path. A file is there whole or not at all.</summary>
    /// <returns>Its bytes.</returns>
    /// <inheritdoc cref="GetAsync"/>
    public async Task<long> DownloadAsync(string path, string file, CancellationToken cancellationToken)
    {
        using var response = await http.GetAsync(path, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        await CheckAsync(response, cancellationToken);
        var temporary = $"{file}.part";
        await using (var saved = File.Create(temporary))
        {
            await response.Content.CopyToAsync(saved, cancellationToken);
        }

        File.Move(temporary, file, overwrite: true);
        return new FileInfo(file).Length;
    }

    /// <summary>A job's events as they happen, to its end, whatever happens to a connection that worked once.</summary>
    /// <inheritdoc cref="GetAsync"/>
    public async IAsyncEnumerable<JsonObject> WatchAsync(string job, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (seen, heard) = ("0", false);
        long? lostAt = null;
        while (true)
        {
            await using var events = StreamAsync(job, seen, cancellationToken).GetAsyncEnumerator(cancellationToken);
            while (await NextAsync(events, heard && (lostAt is null || time.GetElapsedTime(lostAt.Value) < Patience)) is { } line)
            {
                (heard, lostAt) = (true, null);
                if (line.Data == Done)
                {
                    yield break;
                }

                seen = line.EventId ?? seen;
                yield return JsonNode.Parse(line.Data)!.AsObject();
            }

            lostAt ??= time.GetTimestamp();
            await Task.Delay(Pause, time, cancellationToken);
        }
    }

    private async IAsyncEnumerable<SseItem<string>> StreamAsync(string job, string seen, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"v1/fine_tuning/jobs/{job}/events?stream=true");
        request.Headers.Add("Last-Event-ID", seen);
        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        await CheckAsync(response, cancellationToken);
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        await foreach (var item in SseParser.Create(stream).EnumerateAsync(cancellationToken))
        {
            yield return item;
        }
    }

    /// <summary>Null where the stream ended or its connection was lost.</summary>
    private static async Task<SseItem<string>?> NextAsync(IAsyncEnumerator<SseItem<string>> events, bool mayBeLost)
    {
        try
        {
            return await events.MoveNextAsync() ? events.Current : null;
        }
        catch (Exception exception) when (mayBeLost && exception is HttpRequestException or IOException or TuningApiException { Status: HttpStatusCode.ServiceUnavailable })
        {
            return null;
        }
    }

    private async Task<JsonObject> SendAsync(HttpMethod method, string path, HttpContent? content, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        using var response = await http.SendAsync(request, cancellationToken);
        await CheckAsync(response, cancellationToken);
        return await ReadAsync(response, cancellationToken) ?? throw new InvalidDataException($"{http.BaseAddress}{path} did not answer with a JSON object.");
    }

    private static async Task CheckAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        if (!response.IsSuccessStatusCode)
        {
            var body = await ReadAsync(response, cancellationToken);
            throw new TuningApiException(response.StatusCode, (string?)body?["error"]?["message"] ?? string.Create(CultureInfo.InvariantCulture, $"The server answered {(int)response.StatusCode}."));
        }
    }

    private static async Task<JsonObject?> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        try
        {
            return JsonNode.Parse(await response.Content.ReadAsStringAsync(cancellationToken)) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>The server refused, and said why.</summary>
internal sealed class TuningApiException(HttpStatusCode status, string message) : Exception(message)
{
    public HttpStatusCode Status { get; } = status;
}
