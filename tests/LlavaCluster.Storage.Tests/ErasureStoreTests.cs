using LlavaCluster.Abstractions.Adapters;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Storage.Adapters;
using LlavaCluster.Storage.Conversations;
using LlavaCluster.Storage.Erasures;
using LlavaCluster.Storage.Files;
using LlavaCluster.Storage.Tenants;
using LlavaCluster.Storage.Training;
using Microsoft.Data.Sqlite;

namespace LlavaCluster.Storage.Tests;

public sealed class ErasureStoreTests
{
    private static readonly TenantId Ours = TenantId.Parse("ours");
    private static readonly TenantId Theirs = TenantId.Parse("theirs");
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Record_OfAnotherVersion_IsAConflict_AndOnlyUnfinishedOnesAreListed()
    {
        await using var folder = new StoreFolder();
        var store = new SqliteErasureStore(folder.Open());
        var begun = new TenantErasure { Id = Guid.NewGuid(), BegunAt = Now };

        Assert.Null(await store.ReadAsync(Ours, None));
        Assert.Null(await store.WriteAsync(Ours, new ErasureRecord(0, begun), None));
        Assert.Equal(StorageFault.Conflict, await store.WriteAsync(Ours, new ErasureRecord(0, begun), None));
        Assert.Equal(new ErasureRecord(1, begun), await store.ReadAsync(Ours, None));
        Assert.Equal([Ours], await store.UnfinishedAsync(None));
        var found = begun with { Found = new TenantContents(1, 2, 3, 4, 5, 6, 7), FinishedAt = Now };
        Assert.Null(await store.WriteAsync(Ours, new ErasureRecord(1, found), None));
        Assert.Equal(new ErasureRecord(2, found), await store.ReadAsync(Ours, None));
        Assert.Empty(await store.UnfinishedAsync(None));
    }

    /// <summary>A table that a later version adds has to be erased too: this looks at all there are.</summary>
    [Fact]
    public async Task Deletions_OfEveryStore_LeaveNoRowOfTheTenantAndAllOfAnother()
    {
        await using var folder = new StoreFolder();
        var store = folder.Open();
        await FillAsync(store, Ours);
        await FillAsync(store, Theirs);
        var erasures = new SqliteErasureStore(store);
        Assert.Equal(new TenantContents(1, 1, 1, 1, 1, 0, 0), await erasures.CountAsync(Ours, None));
        var before = Rows(folder.File);
        Assert.DoesNotContain(before, table => table.Value == (0, 0) && table.Key != "erasure");

        var (conversations, jobs) = (new SqliteConversationLog(store), new SqliteTrainingStore(store));
        foreach (var conversation in await conversations.ListAsync(Ours, 10, None))
        {
            Assert.True(await conversations.DeleteAsync(conversation, None));
        }

        foreach (var job in await jobs.ListAsync(Ours, null, 10, None))
        {
            await jobs.DeleteAsync(job.Key, None);
        }

        await new SqliteAdapterStore(store).DeleteAsync(Ours, None);
        await new SqliteFileStore(store).EraseAsync(Ours, None);
        await new SqliteTenantStore(store).DeleteAsync(Ours, None);

        Assert.Equal(default, await erasures.CountAsync(Ours, None));
        Assert.Equal(before.Select(table => (table.Key, 0L, table.Value.Theirs)), Rows(folder.File).Select(table => (table.Key, table.Value.Ours, table.Value.Theirs)));
    }

    private static async Task FillAsync(Sqlite.SqliteStore store, TenantId tenant)
    {
        var turn = Guid.NewGuid();
        Assert.Null(await new SqliteConversationLog(store).AppendAsync(ConversationKey.New(tenant), 0, [Records.Begun(turn)], null, None));
        var tenants = new SqliteTenantStore(store);
        var key = new StoredKey(new KeyInfo("id", "label", ["chat"], Now), [1, 2]);
        Assert.Null(await tenants.WriteAsync(tenant, 0, new TenantChange { AddedKey = key, PutLease = new StoredLease(turn, 1, Now, Now, false), Usage = new UsageEntry(turn, Now, new(1, 2, 3, 4)), PutJob = new StoredJob("job", 1, Now) }, None));
        var version = new AdapterVersion(ObjectId.Of([1]), "base", Now, 1, null, double.NaN, double.NaN);
        Assert.Null(await new SqliteAdapterStore(store).WriteAsync(tenant, new AdapterRecord(0, [new StoredAdapter(new AdapterInfo("name", "base", version.Object, null, 0, [version]), [])]), None));
        var spec = new TrainingJobSpec { Model = "base", TrainingFile = ObjectId.Of([2]), Options = new TuningOptions(), AdapterName = "name" };
        var info = new TrainingJobInfo { Key = TrainingJobKey.New(tenant), Spec = spec, Status = TrainingJobStatus.Queued, CreatedAt = Now };
        var said = new TrainingEvent { Sequence = 1, At = Now, Kind = TrainingEventKind.Message, Message = "said" };
        Assert.Null(await new SqliteTrainingStore(store).WriteAsync(0, new TrainingJobRecord(0, info, 1, 0, [], 0), [said], None));
        Assert.Null(await new SqliteFileStore(store).PutAsync(tenant, new StoredFile(ObjectId.Of([3]), "file", "vision", 1, Now), None));
    }

    /// <summary>How many rows each table has of either tenant; those without a tenant's column belong to a conversation.</summary>
    private static SortedDictionary<string, (long Ours, long Theirs)> Rows(string file)
    {
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        var tables = new List<string>();
        using (var command = new SqliteCommand("SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite_%'", connection))
        using (var reader = command.ExecuteReader())
        {
            while (reader.Read())
            {
                tables.Add(reader.GetString(0));
            }
        }

        var rows = new SortedDictionary<string, (long, long)>(StringComparer.Ordinal);
        foreach (var table in tables)
        {
            rows.Add(table, (Count(connection, table, Ours), Count(connection, table, Theirs)));
        }

        return rows;
    }

    private static long Count(SqliteConnection connection, string table, TenantId tenant)
    {
        var condition = table switch
        {
            "tenant" => "name=$0",
            "conversation_record" => "conversation IN (SELECT key FROM conversation WHERE tenant=$0) OR ($0='ours' AND conversation NOT IN (SELECT key FROM conversation))",
            _ => "tenant=$0",
        };
        using var command = new SqliteCommand($"SELECT count(*) FROM {table} WHERE {condition}", connection);
        command.Parameters.AddWithValue("$0", tenant.Value);
        return (long)command.ExecuteScalar()!;
    }
}
