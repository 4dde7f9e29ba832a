using System.Text.Json.Nodes;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Worker;

namespace LlavaCluster.Cli.Benchmarks.Load;

/// <summary>An engine in this process. The engine stays the caller's.</summary>
internal sealed class EngineTarget(StandaloneEngine engine, LoadOptions options) : ILoadTarget
{
    public string Name => "engine";

    public string Model => engine.Model.Name;

    public async Task<LoadRequest> AskAsync(int turn, JsonArray messages, LoadClock clock, CancellationToken cancellationToken)
    {
        var answer = new LoadAnswer(turn, clock);
        using var late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        late.CancelAfter(options.Timeout);
        try
        {
            var told = await Task.WhenAll(messages.Select(message => TellAsync(message!, late.Token)));
            await foreach (var update in engine.GenerateAsync(told, new GenerationOptions { MaxTokens = options.MaxTokens, Temperature = 0, Seed = 0, IgnoreEos = true }, late.Token))
            {
                Note(answer, update);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            answer.Error = $"no whole answer within {options.Timeout.TotalSeconds:0} s";
        }

        return answer.End();
    }

    private static void Note(LoadAnswer answer, Abstractions.Workers.GenerateUpdate update)
    {
        answer.Add(update.Text);
        answer.Error ??= update.Failure?.Message;
        if (update is { Completed: true, Usage: { } usage })
        {
            (answer.Tokens, answer.PromptTokens, answer.CachedTokens) = (usage.CompletionTokens, usage.PromptTokens, usage.CachedTokens);
        }
    }

    private async Task<ChatMessage> TellAsync(JsonNode message, CancellationToken cancellationToken)
    {
        if (message["role"]!.GetValue<string>() == "assistant")
        {
            return new ChatMessage(ChatRole.Assistant, [MessagePart.OfText(message["content"]!.GetValue<string>())]);
        }

        var parts = await Task.WhenAll(message["content"]!.AsArray().Select(part => PartAsync(part!, cancellationToken)));
        return new ChatMessage(ChatRole.User, [.. parts]);
    }

    private async Task<MessagePart> PartAsync(JsonNode part, CancellationToken cancellationToken)
    {
        if (part["image_url"] is not { } picture)
        {
            return MessagePart.OfText(part["text"]!.GetValue<string>());
        }

        var url = picture["url"]!.GetValue<string>();
        return MessagePart.OfImage(await engine.KeepAsync(Convert.FromBase64String(url[(url.IndexOf(',', StringComparison.Ordinal) + 1)..]), cancellationToken));
    }
}
