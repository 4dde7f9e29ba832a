using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlavaCluster.Cli.Benchmarks.Load;

/// <summary>Asks any server that speaks OpenAI's chat completions and notes when what arrives. Thread-safe; the connection stays the caller's.</summary>
/// <param name="http">Its base address is the server's root, with a slash at the end; it has no timeout of its own.</param>
/// <param name="onText">Told, on the thread that reads an answer, how many pieces of text it has had, after each.</param>
internal sealed class LoadClient(HttpClient http, string model, LoadOptions options, Action<int>? onText = null) : ILoadTarget
{
    private const string Done = "[DONE]";
    private const int MessageLength = 300;

    /// <summary>The model that a server names first.</summary>
    /// <exception cref="InvalidDataException">It names none.</exception>
    public static async Task<string> FirstModelAsync(HttpClient http, CancellationToken cancellationToken)
    {
        var list = await http.GetFromJsonAsync<JsonNode>("v1/models", cancellationToken);
        return list?["data"] is JsonArray { Count: > 0 } models && models[0]?["id"]?.GetValue<string>() is { } name
            ? name
            : throw new InvalidDataException($"{http.BaseAddress}v1/models names no model; give one with --model.");
    }

    public string Name => http.BaseAddress!.AbsoluteUri;

    public string Model => model;

    public async Task<LoadRequest> AskAsync(int turn, JsonArray messages, LoadClock clock, CancellationToken cancellationToken)
    {
        var body = Encoding.UTF8.GetBytes(Body(messages));
        var answer = new LoadAnswer(turn, clock, onText);
        using var late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        late.CancelAfter(options.Timeout);
        try
        {
            await ReadAsync(answer, body, late.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            answer.Error = $"no whole answer within {options.Timeout.TotalSeconds:0} s";
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or JsonException)
        {
            answer.Error = exception.InnerException is { } inner ? $"{exception.Message} {inner.Message}" : exception.Message;
        }

        return answer.End();
    }

    private string Body(JsonArray messages) => new JsonObject
    {
        ["model"] = model, ["messages"] = messages.DeepClone(), ["max_tokens"] = options.MaxTokens, ["temperature"] = 0, ["stream"] = true,
        ["stream_options"] = new JsonObject { ["include_usage"] = true },
        ["ignore_eos"] = true, // ours, llama.cpp's and vLLM's: answers of one length can be compared
    }.ToJsonString();

    private async Task ReadAsync(LoadAnswer answer, byte[] body, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "v1/chat/completions") { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new("application/json");
        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        if (!response.IsSuccessStatusCode)
        {
            var text = await response.Content.ReadAsStringAsync(cancellationToken);
            answer.Error = $"HTTP {(int)response.StatusCode}: {Short(text)}";
            return;
        }

        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        await foreach (var item in SseParser.Create(stream).EnumerateAsync(cancellationToken))
        {
            if (item.Data == Done)
            {
                return;
            }

            Note(answer, item.Data);
        }

        answer.Error ??= "the stream ended before [DONE]";
    }

    private static void Note(LoadAnswer answer, string data)
    {
        using var json = JsonDocument.Parse(data);
        var root = json.RootElement;
        if (root.TryGetProperty("error", out var error))
        {
            answer.Error = Short(error.GetRawText());
        }

        if (root.TryGetProperty("system_fingerprint", out var fingerprint))
        {
            answer.Fingerprint = fingerprint.GetString();
        }

        if (root.TryGetProperty("choices", out var choices) && choices.GetArrayLength() > 0 && choices[0].TryGetProperty("delta", out var delta)
            && delta.TryGetProperty("content", out var content) && content.GetString() is { } text)
        {
            answer.Add(text);
        }

        if (root.TryGetProperty("usage", out var usage) && usage.ValueKind == JsonValueKind.Object)
        {
            answer.Tokens = Count(usage, "completion_tokens");
            answer.PromptTokens = Count(usage, "prompt_tokens");
            answer.CachedTokens = usage.TryGetProperty("prompt_tokens_details", out var details) && details.ValueKind == JsonValueKind.Object ? Count(details, "cached_tokens") : null;
        }
    }

    private static int? Count(JsonElement element, string name) => element.TryGetProperty(name, out var value) && value.TryGetInt32(out var count) ? count : null;

    private static string Short(string text) => text.Length > MessageLength ? text[..MessageLength] : text;
}
