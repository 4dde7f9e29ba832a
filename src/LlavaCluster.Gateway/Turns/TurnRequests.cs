using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Requests;

namespace LlavaCluster.Gateway.Turns;

/// <summary>From a valid request to what a conversation grain is told.</summary>
internal static class TurnRequests
{
    /// <summary>A turn of a conversation that is kept. It has no deadline, since nobody need wait for its answer.</summary>
    public static TurnRequest Kept(ValidChatRequest request, Guid turn, Guid? parent, ConversationKey conversation) =>
        Make(request, turn) with { Parent = parent, AffinityKey = conversation.ToString() };

    /// <summary>A turn of a conversation that is only its own.</summary>
    public static TurnRequest Stateless(ValidChatRequest request, Guid turn, bool clientOwned, DateTimeOffset? deadline) =>
        Make(request, turn) with { Deadline = deadline, Transient = true, ClientOwned = clientOwned };

    private static TurnRequest Make(ValidChatRequest request, Guid turn) => new()
    {
        TurnId = turn,
        Messages = request.Messages,
        Options = request.Options,
        Model = request.ModelName,
        AffinityKey = request.AffinityKey,
        Priority = TurnPriority.Interactive,
        WorstCaseTokens = request.WorstCaseTokens,
    };
}
