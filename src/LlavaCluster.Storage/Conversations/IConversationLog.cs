using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Storage.Conversations;

/// <summary>
/// The append logs of all conversations. What an awaited append took survives a kill of the process and a loss of power.
/// Positions fence writers: of two activations of one conversation only the one that has seen every record can append.
/// Members may be called from any thread and any number of processes.
/// </summary>
public interface IConversationLog
{
    /// <summary>Appends records whole or not at all.</summary>
    /// <param name="position">How many records the caller has seen; if the log holds another number the append is a conflict.</param>
    /// <param name="expiresAt">When the conversation may be dropped from now on; null for never. Not heeded where the records are tokens and counts alone: until their turn is settled nothing is dropped.</param>
    /// <returns>Null if the records are durable.</returns>
    Task<StorageFault?> AppendAsync(
        ConversationKey conversation,
        long position,
        ImmutableArray<LogRecord> records,
        DateTimeOffset? expiresAt,
        CancellationToken cancellationToken);

    /// <summary>Every record in order; empty if there is no such conversation.</summary>
    /// <exception cref="InvalidDataException">A record cannot be read; the message names it.</exception>
    Task<ImmutableArray<LogRecord>> ReadAsync(ConversationKey conversation, CancellationToken cancellationToken);

    /// <summary>Removes the conversation for good; false if there was none.</summary>
    /// <exception cref="IOException">The store did not take the write.</exception>
    Task<bool> DeleteAsync(ConversationKey conversation, CancellationToken cancellationToken);

    /// <summary>Conversations of a tenant, the first so many of whatever order.</summary>
    Task<ImmutableArray<ConversationKey>> ListAsync(TenantId tenant, int limit, CancellationToken cancellationToken);

    /// <summary>Conversations with a turn that is begun and not settled.</summary>
    Task<ImmutableArray<ConversationKey>> UnfinishedAsync(CancellationToken cancellationToken);

    /// <summary>Drops conversations whose time has come and returns their number.</summary>
    Task<int> DropExpiredAsync(DateTimeOffset now, CancellationToken cancellationToken);
}
