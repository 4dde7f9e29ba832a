using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Storage.Conversations;
using LlavaCluster.Storage.Sqlite;
using LlavaCluster.Storage.Tenants;
using Microsoft.Data.Sqlite;

namespace LlavaCluster.Storage.Tests;

public sealed class UpgradeTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Open_OfAFileOfVersion1_KeepsItsConversationsAndTenantsAndGoesOn()
    {
        using var folder = new TemporaryFolder();
        var (path, key, turn) = (folder.File("log.db"), ConversationKey.Parse("acme/one"), Guid.NewGuid());
        using (var file = new SqliteConnection($"Data Source={path};Pooling=False"))
        {
            file.Open();
            using var command = file.CreateCommand();
            command.CommandText =
                """
                CREATE TABLE conversation(
                    key INTEGER PRIMARY KEY, tenant TEXT NOT NULL, id TEXT NOT NULL,
                    head INTEGER NOT NULL, running INTEGER NOT NULL, expires_at INTEGER,
                    UNIQUE(tenant, id));
                CREATE TABLE conversation_record(
                    conversation INTEGER NOT NULL, position INTEGER NOT NULL, payload BLOB NOT NULL,
                    PRIMARY KEY(conversation, position)) WITHOUT ROWID;
                CREATE TABLE tenant(
                    name TEXT PRIMARY KEY, version INTEGER NOT NULL,
                    requests_per_minute INTEGER, tokens_per_minute INTEGER, concurrent_turns INTEGER, weight REAL NOT NULL,
                    turns INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL, image_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL) WITHOUT ROWID;
                INSERT INTO tenant VALUES('acme', 3, NULL, NULL, 2, 1.5, 7, 70, 0, 700);
                INSERT INTO conversation VALUES(5, 'acme', 'one', 1, 1, NULL);
                INSERT INTO conversation_record VALUES(5, 0, $0);
                PRAGMA user_version=1;
                """;
            command.Parameters.AddWithValue("$0", LogRecordCodec.Encode(Records.Begun(turn)));
            command.ExecuteNonQuery();
        }

        await using (var store = new SqliteStore(path))
        {
            Assert.Null(await new SqliteConversationLog(store).AppendAsync(key, 1, [Records.Said(turn, "a")], null, None));
        }

        await using var again = new SqliteStore(path);
        var log = new SqliteConversationLog(again);
        Assert.Null(await log.AppendAsync(key, 2, [new TurnSettled(turn)], null, None));
        Assert.Equal([typeof(TurnBegun), typeof(TokensEmitted), typeof(TurnSettled)], (await log.ReadAsync(key, None)).Select(record => record.GetType()));
        Assert.Empty(await log.UnfinishedAsync(None));
        var tenant = await new SqliteTenantStore(again).ReadAsync(key.Tenant, None);
        Assert.Equal((3, new TenantQuota { ConcurrentTurns = 2, Weight = 1.5 }, new UsageTotals(7, 70, 0, 700), default), (tenant.Version, tenant.Quota, tenant.Totals, tenant.Training));
    }
}
