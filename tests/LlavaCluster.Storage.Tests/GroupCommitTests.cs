using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Storage.Conversations;
using LlavaCluster.Storage.Sqlite;

namespace LlavaCluster.Storage.Tests;

public sealed class GroupCommitTests
{
    private static readonly ConversationKey Key = ConversationKey.Parse("acme/one");
    private static readonly CancellationToken None = CancellationToken.None;
    private readonly Guid _turn = Guid.NewGuid();

    [Fact]
    public async Task Append_ByManyWritersAtOnce_LosesNothingAndInterleavesNothing()
    {
        await using var folder = new StoreFolder();
        var logs = new[] { new SqliteConversationLog(folder.Open()), new SqliteConversationLog(folder.Open()) };

        await Task.WhenAll(Enumerable.Range(0, 32).Select(n => Task.Run(async () =>
        {
            var (key, turn) = (ConversationKey.Parse($"acme/c{n}"), Guid.NewGuid());
            Assert.Null(await logs[n % 2].AppendAsync(key, 0, [Records.Begun(turn)], null, None));
            for (var position = 1; position <= 20; position++)
            {
                Assert.Null(await logs[n % 2].AppendAsync(key, position, [Records.Said(turn, $"{n}.{position}")], null, None));
            }
        })));

        for (var n = 0; n < 32; n++)
        {
            var said = (await logs[0].ReadAsync(ConversationKey.Parse($"acme/c{n}"), None)).OfType<TokensEmitted>().Select(record => record.Emissions[0].Text);
            Assert.Equal(Enumerable.Range(1, 20).Select(position => $"{n}.{position}"), said);
        }
    }

    [Fact]
    public async Task Append_WhenDiskIsFull_SaysSoAndKeepsWhatItTook()
    {
        await using var folder = new StoreFolder();
        var log = new SqliteConversationLog(folder.Open(maxPages: 40));
        Assert.Null(await log.AppendAsync(Key, 0, [Records.Begun(_turn)], null, None));

        Assert.Equal(StorageFault.Full, await log.AppendAsync(Key, 1, [Records.Said(_turn, new string('x', 1 << 20))], null, None));
        Assert.Null(await log.AppendAsync(Key, 1, [Records.Said(_turn, "small")], null, None));
        Assert.Equal("small", Assert.IsType<TokensEmitted>((await log.ReadAsync(Key, None))[1]).Emissions[0].Text);
    }

    [Fact]
    public async Task Append_BesideOneThatDoesNotFit_IsTaken()
    {
        await using var folder = new StoreFolder();
        var log = new SqliteConversationLog(folder.Open(maxPages: 60));

        var faults = await Task.WhenAll(Enumerable.Range(0, 10).Select(n =>
            log.AppendAsync(ConversationKey.Parse($"acme/c{n}"), 0, [n == 5 ? Records.Said(_turn, new string('x', 1 << 20)) : Records.Begun(_turn)], null, None)));

        Assert.Equal(Enumerable.Range(0, 10).Select(n => n == 5 ? StorageFault.Full : (StorageFault?)null), faults);
    }

    [Fact]
    public async Task Append_WhileAnotherProcessHoldsTheFile_FailsWithItsWholeBatch()
    {
        await using var folder = new StoreFolder();
        var log = new SqliteConversationLog(folder.Open(busyTimeout: TimeSpan.FromMilliseconds(200)));
        using var other = SqliteFile.Open(folder.File);
        SqliteFile.Execute(other, "BEGIN IMMEDIATE");

        var first = log.AppendAsync(Key, 0, [Records.Begun(_turn)], null, None);
        var batch = Enumerable.Range(0, 3).Select(n => log.AppendAsync(ConversationKey.Parse($"acme/c{n}"), 0, [Records.Begun(_turn)], null, None)).ToArray();
        Assert.Equal(StorageFault.Unavailable, await first);
        Assert.Equal(StorageFault.Unavailable, await batch[0]);
        SqliteFile.Execute(other, "ROLLBACK");

        Assert.Equal(StorageFault.Unavailable, await batch[1]);
        Assert.Equal(StorageFault.Unavailable, await batch[2]);
        Assert.Null(await log.AppendAsync(Key, 0, [Records.Begun(_turn)], null, None));
    }
}
