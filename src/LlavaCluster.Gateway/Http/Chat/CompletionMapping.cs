using System.Collections.Immutable;
using System.Text;
using LlavaCluster.Abstractions.Chat;

namespace LlavaCluster.Gateway.Http.Chat;

/// <summary>From the cluster's records to OpenAI's.</summary>
internal static class CompletionMapping
{
    /// <summary>OpenAI has no word for a choice that was cancelled; clients with closed lists of words know "stop".</summary>
    public static string FinishName(FinishReason? finish) => finish == FinishReason.Length ? "length" : "stop";

    /// <summary>A failure that names a field names it as this protocol does.</summary>
    public static ChatFailure Named(ChatFailure failure) => failure with
    {
        Field = failure.Field switch
        {
            ConstraintFields.JsonSchema => "response_format",
            ConstraintFields.Regex => "guided_regex",
            ConstraintFields.Choice => "guided_choice",
            var other => other,
        },
    };

    public static CompletionUsage Usage(TokenUsage usage) => new(
        usage.PromptTokens, usage.CompletionTokens, usage.PromptTokens + usage.CompletionTokens, new PromptTokensDetails(usage.CachedTokens, usage.ImageTokens));

    public static CompletionLogprobs? Logprobs(ImmutableArray<TokenLogprob> tokens) => tokens.IsEmpty ? null : new CompletionLogprobs([.. tokens.Select(token => Logprob(token, true))]);

    private static CompletionLogprob Logprob(TokenLogprob token, bool outer) => new(
        token.Text,
        token.Logprob,
        [.. Encoding.UTF8.GetBytes(token.Text).Select(value => (int)value)],
        outer ? [.. token.Alternatives.Select(other => Logprob(other, false))] : (ImmutableArray<CompletionLogprob>?)null);
}
