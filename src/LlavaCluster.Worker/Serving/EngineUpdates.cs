using System.Text;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Engine;
using LlavaCluster.Model.Text;
using FinishReason = LlavaCluster.Abstractions.Chat.FinishReason;
using TokenLogprob = LlavaCluster.Abstractions.Chat.TokenLogprob;

namespace LlavaCluster.Worker.Serving;

/// <summary>The engine's updates in the cluster's words.</summary>
internal static class EngineUpdates
{
    /// <summary>What happened to one choice.</summary>
    public static GenerateUpdate Map(in TokenUpdate update, TextCodec codec) => new()
    {
        Choice = update.Choice,
        Token = update.Token,
        Text = update.Text,
        Logprob = float.IsNaN(update.Logprob) || update.Token < 0 ? null : Logprob(update, codec),
        // How an answer that is not whole ended is the end's to tell: another worker may still finish the choice.
        Finish = update.Finish switch
        {
            Engine.FinishReason.Stop => FinishReason.Stop,
            Engine.FinishReason.Length => FinishReason.Length,
            _ => null,
        },
    };

    /// <summary>The end of the turn, which the engine tells with the last choice's.</summary>
    public static GenerateUpdate End(in TokenUpdate last) => new()
    {
        Completed = true,
        Usage = last.Usage is { } usage ? new TokenUsage(usage.PromptTokens, usage.ImageTokens, usage.CachedTokens, usage.CompletionTokens) : null,
        Failure = last.Failure is { } failure ? Failures.Of(failure) : last.Finish == Engine.FinishReason.Cancelled ? GivenUp : null,
    };

    private static ChatFailure GivenUp { get; } = new(ChatFailureKind.ModelUnavailable, "The worker gave the answer up before its end.");

    private static TokenLogprob Logprob(in TokenUpdate update, TextCodec codec) => new(
        update.Token, Text(codec, update.Token), update.Logprob,
        [.. (update.TopLogprobs ?? []).Select(top => new TokenLogprob(top.Id, Text(codec, top.Id), top.Logprob, []))]);

    private static string Text(TextCodec codec, int token) => Encoding.UTF8.GetString(codec.Bytes(token).Span);
}
