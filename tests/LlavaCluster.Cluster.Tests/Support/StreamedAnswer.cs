using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Cluster.Tests.Support;

/// <summary>
/// A question to <c>/v1/responses</c> with a picture in it, and what a client has read of its streamed answer. The connection stays as long as it lasts;
/// <see cref="GoOnAsync"/> makes another, after the last event seen.
/// </summary>
internal sealed class StreamedAnswer
{
    private const int LongAnswer = 700;

    private readonly JsonObject _request;
    private readonly StringBuilder _text = new();
    private readonly List<long> _numbers = [];
    private readonly List<(int Count, TaskCompletionSource Reached)> _waits = [];

    /// <param name="conversation">A conversation to keep it in; null for a stateless call.</param>
    public StreamedAnswer(string text, double temperature, string? conversation = null, int tokens = LongAnswer, string? image = "square")
    {
        var content = new JsonArray(new JsonObject { ["type"] = "input_text", ["text"] = text });
        if (image is not null)
        {
            var picture = Convert.ToBase64String(File.ReadAllBytes(Goldens.Path("images", image + ".png")));
            content.Add(new JsonObject { ["type"] = "input_image", ["image_url"] = $"data:image/png;base64,{picture}" });
        }

        _request = new JsonObject
        {
            ["model"] = "a_llava15",
            ["input"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = content }),
            ["max_output_tokens"] = tokens,
            ["temperature"] = temperature,
            ["seed"] = 11,
            ["logit_bias"] = new JsonObject { ["2"] = -100 }, // the end-of-text token: the answer is as long as it may be
            ["stream"] = true,
            ["store"] = conversation is not null,
        };
        if (conversation is not null)
        {
            _request["conversation"] = conversation;
        }
    }

    public string Text => _text.ToString();

    public string? ResponseId { get; private set; }

    /// <summary>The type of the event that closed the answer; null while none has.</summary>
    public string? ClosedBy { get; private set; }

    /// <summary>The error's code, if the answer ended with one.</summary>
    public string? Error { get; private set; }

    /// <summary>A new conversation's id.</summary>
    public static async Task<string> CreateConversationAsync(Node node, CancellationToken cancellationToken)
    {
        using var response = await node.Http.PostAsJsonAsync("/v1/conversations", new JsonObject(), cancellationToken);
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<JsonElement>(cancellationToken)).GetProperty("id").GetString()!;
    }

    /// <summary>Asks and reads until the answer is closed or the connection breaks.</summary>
    public async Task AskAsync(Node node, CancellationToken cancellationToken, Guid? turn = null)
    {
        using var message = new HttpRequestMessage(HttpMethod.Post, "/v1/responses") { Content = JsonContent.Create(_request) };
        if (turn is not null)
        {
            message.Headers.Add("Idempotency-Key", turn.ToString());
        }

        await ReadAsync(node, message, cancellationToken);
    }

    /// <summary>Asks a question anew that was refused.</summary>
    public Task AskAgainAsync(Node node, CancellationToken cancellationToken)
    {
        (ClosedBy, Error) = (null, null);
        return AskAsync(node, cancellationToken);
    }

    /// <summary>Reads what comes after the last event seen.</summary>
    public async Task GoOnAsync(Node node, CancellationToken cancellationToken)
    {
        using var message = new HttpRequestMessage(HttpMethod.Get, $"/v1/responses/{ResponseId}?stream=true&starting_after={_numbers[^1]}");
        await ReadAsync(node, message, cancellationToken);
    }

    /// <summary>Completes when so many events with text are read, or the answer is closed.</summary>
    public Task ReachesAsync(int deltas, CancellationToken cancellationToken)
    {
        lock (_waits)
        {
            var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waits.Add((deltas, reached));
            Tell();
            return reached.Task.WaitAsync(cancellationToken);
        }
    }

    private async Task ReadAsync(Node node, HttpRequestMessage message, CancellationToken cancellationToken)
    {
        using var response = await node.Http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        if (!response.IsSuccessStatusCode)
        {
            var body = await response.Content.ReadFromJsonAsync<JsonElement>(cancellationToken);
            (ClosedBy, Error) = ($"{(int)response.StatusCode}", body.GetProperty("error").GetProperty("code").GetString());
            return;
        }

        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(cancellationToken));
        try
        {
            while (ClosedBy is null && await reader.ReadLineAsync(cancellationToken) is { } line)
            {
                if (line.StartsWith("data: ", StringComparison.Ordinal))
                {
                    Take(JsonDocument.Parse(line["data: ".Length..]).RootElement);
                }
            }
        }
        catch (Exception broken) when (broken is IOException or HttpRequestException)
        {
            // The node was killed.
        }
    }

    private void Take(JsonElement step)
    {
        lock (_waits)
        {
            var type = step.GetProperty("type").GetString()!;
            switch (type)
            {
                case "response.created":
                    ResponseId = step.GetProperty("response").GetProperty("id").GetString();
                    break;
                case "response.output_text.delta":
                    var number = step.GetProperty("sequence_number").GetInt64();
                    Assert.True(_numbers.Count == 0 || number > _numbers[^1], $"Event {number} came after {(_numbers.Count == 0 ? -1 : _numbers[^1])}.");
                    _numbers.Add(number);
                    _text.Append(step.GetProperty("delta").GetString());
                    break;
                case "error":
                    (ClosedBy, Error) = (type, step.GetProperty("code").GetString());
                    break;
                case "response.completed" or "response.incomplete" or "response.failed":
                    ClosedBy = type;
                    break;
            }

            Tell();
        }
    }

    private void Tell()
    {
        foreach (var wait in _waits.Where(wait => _numbers.Count >= wait.Count || ClosedBy is not null).ToArray())
        {
            _waits.Remove(wait);
            wait.Reached.SetResult();
        }
    }
}
