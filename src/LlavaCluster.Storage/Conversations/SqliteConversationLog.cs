using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Storage.Sqlite;

namespace LlavaCluster.Storage.Conversations;

/// <summary>The conversation log in a SQLite file.</summary>
public sealed class SqliteConversationLog(SqliteStore store) : IConversationLog
{
    public async Task<StorageFault?> AppendAsync(
        ConversationKey conversation,
        long position,
        ImmutableArray<LogRecord> records,
        DateTimeOffset? expiresAt,
        CancellationToken cancellationToken)
    {
        // Encoded here, so that the writer's thread only writes.
        var payloads = records.Select(LogRecordCodec.Encode).ToArray();
        var unsettled = records.Count(record => record is TurnBegun) - records.Count(record => record is TurnSettled);
        var isMidTurn = position > 0 && records.All(record => record is TokensEmitted or PromptCounted);
        var result = await store.WriteAsync(
            session => isMidTurn ? AppendMidTurn(session, conversation, position, payloads) : Append(session, conversation, position, payloads, unsettled, expiresAt),
            cancellationToken);
        return result.Fault ?? result.Value;
    }

    public Task<ImmutableArray<LogRecord>> ReadAsync(ConversationKey conversation, CancellationToken cancellationToken) => store.ReadAsync(
        session =>
        {
            var payloads = session.Query(
                "SELECT payload FROM conversation_record WHERE conversation=(SELECT key FROM conversation WHERE tenant=$0 AND id=$1) ORDER BY position",
                row => row.GetFieldValue<byte[]>(0),
                conversation.Tenant.Value,
                conversation.Id);
            return payloads.Select((payload, position) => Decode(conversation, position, payload)).ToImmutableArray();
        },
        cancellationToken);

    public async Task<bool> DeleteAsync(ConversationKey conversation, CancellationToken cancellationToken)
    {
        var result = await store.WriteAsync(
            session =>
            {
                session.Run(
                    "DELETE FROM conversation_record WHERE conversation=(SELECT key FROM conversation WHERE tenant=$0 AND id=$1)",
                    conversation.Tenant.Value,
                    conversation.Id);
                return session.Run("DELETE FROM conversation WHERE tenant=$0 AND id=$1", conversation.Tenant.Value, conversation.Id) > 0;
            },
            cancellationToken);
        return result.ValueOrThrow();
    }

    public Task<ImmutableArray<ConversationKey>> UnfinishedAsync(CancellationToken cancellationToken) => store.ReadAsync(
        session => session.Query(
            "SELECT tenant, id FROM conversation WHERE running > 0 ORDER BY key",
            row => ConversationKey.Parse($"{row.GetString(0)}/{row.GetString(1)}")).ToImmutableArray(),
        cancellationToken);

    public async Task<int> DropExpiredAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        var result = await store.WriteAsync(
            session =>
            {
                session.Run("DELETE FROM conversation_record WHERE conversation IN (SELECT key FROM conversation WHERE expires_at <= $0 AND running = 0)", now.UtcTicks);
                return session.Run("DELETE FROM conversation WHERE expires_at <= $0 AND running = 0", now.UtcTicks);
            },
            cancellationToken);
        return result.ValueOrThrow();
    }

    private static StorageFault? Append(
        SqliteSession session,
        ConversationKey conversation,
        long position,
        byte[][] payloads,
        int unsettled,
        DateTimeOffset? expiresAt)
    {
        var row = session.Query(
            "SELECT key, head FROM conversation WHERE tenant=$0 AND id=$1",
            found => (Key: found.GetInt64(0), Head: found.GetInt64(1)),
            conversation.Tenant.Value,
            conversation.Id);
        if ((row.Count == 0 ? 0 : row[0].Head) != position)
        {
            return StorageFault.Conflict;
        }

        var key = row.Count > 0
            ? row[0].Key
            : (long)session.Scalar(
                "INSERT INTO conversation(tenant, id, head, running) VALUES($0, $1, 0, 0) RETURNING key",
                conversation.Tenant.Value,
                conversation.Id)!;
        Insert(session, key, position, payloads);
        session.Run(
            "UPDATE conversation SET head=$1, running=running+$2, expires_at=$3 WHERE key=$0",
            key,
            position + payloads.Length,
            unsettled,
            expiresAt?.UtcTicks);
        return null;
    }

    /// <summary>
    /// Most appends, and the short way: a running turn keeps its conversation from being dropped, so that when it may be dropped need not be written anew with every token, in the table and in an index.
    /// </summary>
    private static StorageFault? AppendMidTurn(SqliteSession session, ConversationKey conversation, long position, byte[][] payloads)
    {
        var key = session.Scalar(
            "UPDATE conversation SET head=$3 WHERE tenant=$0 AND id=$1 AND head=$2 RETURNING key",
            conversation.Tenant.Value,
            conversation.Id,
            position,
            position + payloads.Length);
        if (key is null)
        {
            return StorageFault.Conflict;
        }

        Insert(session, (long)key, position, payloads);
        return null;
    }

    private static void Insert(SqliteSession session, long key, long position, byte[][] payloads)
    {
        for (var i = 0; i < payloads.Length; i++)
        {
            session.Run("INSERT INTO conversation_record VALUES($0, $1, $2)", key, position + i, payloads[i]);
        }
    }

    private static LogRecord Decode(ConversationKey conversation, int position, byte[] payload)
    {
        try
        {
            return LogRecordCodec.Decode(payload);
        }
        catch (InvalidDataException fault)
        {
            throw new InvalidDataException($"Record {position} of conversation {conversation} cannot be read: {fault.Message}", fault);
        }
    }
}
