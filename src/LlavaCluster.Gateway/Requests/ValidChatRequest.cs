using System.Collections.Immutable;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Workers;

namespace LlavaCluster.Gateway.Requests;

/// <summary>A request that keeps every rule, its pictures stored. Only <see cref="RequestValidator"/> makes one.</summary>
internal sealed record ValidChatRequest
{
    /// <summary>The model that was asked for, as the client wrote it: a name or <c>base:adapter</c>.</summary>
    public required string ModelName { get; init; }

    public required ModelCard Card { get; init; }

    public required ImmutableArray<ChatMessage> Messages { get; init; }

    public required GenerationOptions Options { get; init; }

    /// <summary>An upper bound of prompt and answer tokens, for the quota.</summary>
    public required int WorstCaseTokens { get; init; }

    /// <summary>Equal for the calls of one chat that resends its history.</summary>
    public required string AffinityKey { get; init; }
}
