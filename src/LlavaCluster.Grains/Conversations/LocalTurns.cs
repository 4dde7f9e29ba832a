using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Grains.Conversations;

/// <summary>
/// The running turns of conversations that live in this process. A conversation lives on the front its client came to, so a gateway nearly always finds here what it would ask a grain
/// for, and an event reaches its reader without a message. Members may be called from any thread.
/// </summary>
public sealed class LocalTurns
{
    private readonly ConcurrentDictionary<(ConversationKey Conversation, Guid Turn), TurnFeed> _feeds = new();

    /// <summary>The feed of a turn that runs here; what is not here is asked of its grain.</summary>
    public bool TryFind(ConversationKey conversation, Guid turn, [NotNullWhen(true)] out TurnFeed? feed) => _feeds.TryGetValue((conversation, turn), out feed);

    internal void Add(ConversationKey conversation, Guid turn, TurnFeed feed) => _feeds[(conversation, turn)] = feed;

    /// <summary>Forgets a feed; those who read it go on.</summary>
    internal void Remove(ConversationKey conversation, Guid turn, TurnFeed feed) => _feeds.TryRemove(new((conversation, turn), feed));
}
