using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Gateway.Requests;

namespace LlavaCluster.Gateway.Turns;

/// <summary>From a valid request to what a conversation grain is told.</summary>
internal static class TurnRequests
{
    public static TurnRequest Make(ValidChatRequest request, Guid turn, Guid? parent, DateTimeOffset? deadline, bool transient, string? affinityKey = null) => new()
    {
        TurnId = turn,
        Parent = parent,
        Messages = request.Messages,
        Options = request.Options,
        Model = request.ModelName,
        AffinityKey = affinityKey ?? request.AffinityKey,
        Priority = TurnPriority.Interactive,
        Deadline = deadline,
        WorstCaseTokens = request.WorstCaseTokens,
        Transient = transient,
    };
}
