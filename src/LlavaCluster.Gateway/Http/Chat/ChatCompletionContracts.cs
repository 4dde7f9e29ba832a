using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace LlavaCluster.Gateway.Http.Chat;

/// <summary>The answer of POST /v1/chat/completions, as OpenAI writes it.</summary>
internal sealed record ChatCompletion(string Id, long Created, string Model, ImmutableArray<CompletionChoice> Choices, CompletionUsage? Usage)
{
    public string Object => "chat.completion";

    /// <summary>The adapter's version that answered, as /v1/adapters names it; absent for the base model.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? SystemFingerprint { get; init; }
}

internal sealed record CompletionChoice(int Index, CompletionMessage Message, CompletionLogprobs? Logprobs, string FinishReason);

internal sealed record CompletionMessage(string Content)
{
    public string Role => "assistant";

    public string? Refusal => null;
}

/// <summary>One SSE chunk of a streamed answer.</summary>
internal record ChatCompletionChunk(string Id, long Created, string Model, ImmutableArray<ChunkChoice> Choices)
{
    public string Object => "chat.completion.chunk";

    /// <inheritdoc cref="ChatCompletion.SystemFingerprint"/>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? SystemFingerprint { get; init; }
}

/// <summary>A chunk of a stream whose client asked for the usage: null until the last, which has no choices.</summary>
internal sealed record MeteredChunk(string Id, long Created, string Model, ImmutableArray<ChunkChoice> Choices) : ChatCompletionChunk(Id, Created, Model, Choices)
{
    public CompletionUsage? Usage { get; init; }
}

internal sealed record ChunkChoice(int Index, ChunkDelta Delta, CompletionLogprobs? Logprobs = null, string? FinishReason = null);

internal sealed record ChunkDelta
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Role { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Content { get; init; }
}

internal sealed record CompletionLogprobs(ImmutableArray<CompletionLogprob> Content)
{
    public ImmutableArray<CompletionLogprob>? Refusal => null;
}

/// <param name="Bytes">The token's UTF-8 bytes.</param>
internal sealed record CompletionLogprob(string Token, float Logprob, ImmutableArray<int> Bytes, ImmutableArray<CompletionLogprob>? TopLogprobs)
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ImmutableArray<CompletionLogprob>? TopLogprobs { get; } = TopLogprobs;
}

internal sealed record CompletionUsage(int PromptTokens, int CompletionTokens, int TotalTokens, PromptTokensDetails PromptTokensDetails);

/// <param name="CachedTokens">Prompt tokens whose keys and values were at hand.</param>
/// <param name="ImageTokens">Prompt tokens that pictures took.</param>
internal sealed record PromptTokensDetails(int CachedTokens, int ImageTokens);
