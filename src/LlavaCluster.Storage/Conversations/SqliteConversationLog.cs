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
        var payloads = new byte[records.Length][];
        var (unsettled, isMidTurn) = (0, position > 0);
        for (var i = 0; i < records.Length; i++)
        {
            payloads[i] = LogRecordCodec.Encode(records[i]);
            unsettled += records[i] is TurnBegun ? 1 : records[i] is TurnSettled ? -1 : 0;
            isMidTurn &= records[i] is TokensEmitted or PromptCounted;
        }

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

    public Task<ImmutableArray<ConversationKey>> ListAsync(TenantId tenant, int limit, CancellationToken cancellationToken) => store.ReadAsync(
        session => session.Query("SELECT id FROM conversation WHERE tenant=$0 LIMIT $1", row => ConversationKey.Parse($"{tenant}/{row.GetString(0)}"), tenant.Value, limit).ToImmutableArray(),
        cancellationToken);

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
            "SELECT key, (SELECT max(position) FROM conversation_record WHERE conversation=key) FROM conversation WHERE tenant=$0 AND id=$1",
            found => (Key: found.GetInt64(0), Next: found.IsDBNull(1) ? 0 : found.GetInt64(1) + 1),
            conversation.Tenant.Value,
            conversation.Id);
        if ((row.Count == 0 ? 0 : row[0].Next) != position)
        {
            return StorageFault.Conflict;
        }

        var key = row.Count > 0
            ? row[0].Key
            : (long)session.Scalar("INSERT INTO conversation(tenant, id, running) VALUES($0, $1, 0) RETURNING key", conversation.Tenant.Value, conversation.Id)!;
        for (var i = 0; i < payloads.Length; i++)
        {
            session.Run("INSERT INTO conversation_record VALUES($0, $1, $2)", key, position + i, payloads[i]);
        }

        session.Run("UPDATE conversation SET running=running+$1, expires_at=$2 WHERE key=$0", key, unsettled, expiresAt?.UtcTicks);
        return null;
    }

    /// <summary>
    /// Most appends, and the short way: one row, right behind the one that the caller has seen last and where none is yet. A running turn keeps its conversation from being dropped, so
    /// that when it may be dropped need not be written anew with every token.
    /// </summary>
    private static StorageFault? AppendMidTurn(SqliteSession session, ConversationKey conversation, long position, byte[][] payloads)
    {
        for (var i = 0; i < payloads.Length; i++)
        {
            var written = session.Run(
                """
                INSERT OR IGNORE INTO conversation_record
                SELECT key, $2, $3 FROM conversation WHERE tenant=$0 AND id=$1 AND EXISTS(SELECT 1 FROM conversation_record WHERE conversation=key AND position=$2-1)
                """,
                conversation.Tenant.Value,
                conversation.Id,
                position + i,
                payloads[i]);
            if (written == 0)
            {
                return StorageFault.Conflict;
            }
        }

        return null;
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
