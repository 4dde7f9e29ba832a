using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Storage.Conversations;
using LlavaCluster.Storage.Sqlite;

namespace LlavaCluster.Storage.Tests;

public sealed class SqliteConversationLogTests : IAsyncDisposable
{
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private readonly TemporaryFolder _folder = new();
    private readonly SqliteStore _store;
    private readonly SqliteConversationLog _log;

    public SqliteConversationLogTests()
    {
        _store = new SqliteStore(_folder.File("log.db"));
        _log = new SqliteConversationLog(_store);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Read_AfterAppends_GivesEveryRecordAsItWas()
    {
        var conversation = ConversationKey.New(TenantId.Default);
        var turn = Guid.NewGuid();
        LogRecord[] records =
        [
            Begun(turn),
            new PromptCounted(turn, new TokenUsage(40, 16, 8, 0)),
            new TokensEmitted(turn, [new Emission(0, 17, "a ", new TokenLogprob(17, "a", -0.5f, [new TokenLogprob(3, "b", -1.5f, [])]), null), new Emission(0, -1, "cat", null, FinishReason.Stop)]),
            new TurnCompleted(turn, Now, new TokenUsage(40, 16, 8, 2), new ChatFailure(ChatFailureKind.Cancelled, "stopped", "field", TimeSpan.FromSeconds(2))),
            new TurnSettled(turn),
        ];

        Assert.Null(await _log.AppendAsync(conversation, 0, [records[0], records[1]], null, Token));
        Assert.Null(await _log.AppendAsync(conversation, 2, [records[2], records[3], records[4]], null, Token));

        var read = await _log.ReadAsync(conversation, Token);
        Assert.Equal(records.Select(LogRecordCodec.Encode), read.Select(LogRecordCodec.Encode));
        Assert.Equal(records.Select(record => record.GetType()), read.Select(record => record.GetType()));
    }

    [Fact]
    public async Task Append_AtAnotherPositionThanTheHead_IsAConflictAndChangesNothing()
    {
        var conversation = ConversationKey.New(TenantId.Default);
        var turn = Guid.NewGuid();
        Assert.Null(await _log.AppendAsync(conversation, 0, [Begun(turn)], null, Token));

        Assert.Equal(StorageFault.Conflict, await _log.AppendAsync(conversation, 0, [new TurnSettled(turn)], null, Token));
        Assert.Equal(StorageFault.Conflict, await _log.AppendAsync(conversation, 2, [new TurnSettled(turn)], null, Token));

        Assert.Single(await _log.ReadAsync(conversation, Token));
    }

    [Fact]
    public async Task Append_OfTokensAlone_IsFencedLikeAnyOtherAndLeavesTheExpiry()
    {
        var conversation = ConversationKey.New(TenantId.Default);
        var turn = Guid.NewGuid();
        var tokens = new TokensEmitted(turn, [new Emission(0, 17, "a ", null, null)]);
        Assert.Equal(StorageFault.Conflict, await _log.AppendAsync(conversation, 1, [tokens], null, Token));
        await _log.AppendAsync(conversation, 0, [Begun(turn)], Now, Token);

        Assert.Null(await _log.AppendAsync(conversation, 1, [new PromptCounted(turn, new TokenUsage(40, 16, 8, 0)), tokens], Now.AddYears(1), Token));
        Assert.Equal(StorageFault.Conflict, await _log.AppendAsync(conversation, 2, [tokens], null, Token));
        Assert.Equal(StorageFault.Conflict, await _log.AppendAsync(conversation, 4, [tokens], null, Token));
        Assert.Null(await _log.AppendAsync(conversation, 3, [tokens], null, Token));
        Assert.Equal(4, (await _log.ReadAsync(conversation, Token)).Length);
        Assert.Equal(0, await _log.DropExpiredAsync(Now, Token));

        Assert.Null(await _log.AppendAsync(conversation, 4, [new TurnSettled(turn)], Now.AddDays(1), Token));
        Assert.Equal(0, await _log.DropExpiredAsync(Now, Token));
        Assert.Equal(1, await _log.DropExpiredAsync(Now.AddDays(1), Token));
    }

    [Fact]
    public async Task Append_OfTwoWritersAtOnce_LetsExactlyOneWinEachPosition()
    {
        await using var other = new SqliteStore(_folder.File("log.db"));
        SqliteConversationLog[] writers = [_log, new SqliteConversationLog(other)];
        var conversation = ConversationKey.New(TenantId.Default);
        var turn = Guid.NewGuid();
        for (var position = 0; position < 50; position++)
        {
            var faults = await Task.WhenAll(writers.Select(writer => writer.AppendAsync(conversation, position, [new TurnSettled(turn)], null, Token)));

            Assert.Single(faults, fault => fault is null);
            Assert.Single(faults, fault => fault == StorageFault.Conflict);
        }

        Assert.Equal(50, (await _log.ReadAsync(conversation, Token)).Length);
    }

    [Fact]
    public async Task Unfinished_NamesConversationsWithABegunTurnUntilItIsSettled()
    {
        var (running, settled) = (ConversationKey.New(TenantId.Default), ConversationKey.New(TenantId.Default));
        var turn = Guid.NewGuid();
        await _log.AppendAsync(running, 0, [Begun(turn)], null, Token);
        await _log.AppendAsync(settled, 0, [Begun(turn), new TurnSettled(turn)], null, Token);

        Assert.Equal([running], await _log.UnfinishedAsync(Token));
    }

    [Fact]
    public async Task DropExpired_DropsWhatIsOverAndKeepsWhatStillRuns()
    {
        var (over, running, kept) = (ConversationKey.New(TenantId.Default), ConversationKey.New(TenantId.Default), ConversationKey.New(TenantId.Default));
        var turn = Guid.NewGuid();
        await _log.AppendAsync(over, 0, [Begun(turn), new TurnSettled(turn)], Now, Token);
        await _log.AppendAsync(running, 0, [Begun(turn)], Now, Token);
        await _log.AppendAsync(kept, 0, [Begun(turn), new TurnSettled(turn)], null, Token);

        Assert.Equal(0, await _log.DropExpiredAsync(Now - TimeSpan.FromSeconds(1), Token));
        Assert.Equal(1, await _log.DropExpiredAsync(Now, Token));

        Assert.Empty(await _log.ReadAsync(over, Token));
        Assert.Single(await _log.ReadAsync(running, Token));
        Assert.Equal(2, (await _log.ReadAsync(kept, Token)).Length);
    }

    [Fact]
    public async Task Delete_RemovesOneTenantsConversationAndNoOther()
    {
        var theirs = ConversationKey.New(TenantId.Parse("other"));
        Assert.True(ConversationKey.TryCreate(TenantId.Default, theirs.Id, out var ours));
        await _log.AppendAsync(ours.Value, 0, [Begun(Guid.NewGuid())], null, Token);
        await _log.AppendAsync(theirs, 0, [Begun(Guid.NewGuid())], null, Token);

        Assert.True(await _log.DeleteAsync(ours.Value, Token));
        Assert.False(await _log.DeleteAsync(ours.Value, Token));

        Assert.Empty(await _log.ReadAsync(ours.Value, Token));
        Assert.Single(await _log.ReadAsync(theirs, Token));
    }

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        _folder.Dispose();
    }

    private static TurnBegun Begun(Guid turn) => new(
        new TurnRequest
        {
            TurnId = turn,
            Messages = [new ChatMessage(ChatRole.User, [MessagePart.OfImage(ImageId.Of("pixels"u8)), MessagePart.OfText("What is this?")])],
            Options = new GenerationOptions { MaxTokens = 10, Seed = ulong.MaxValue, Stop = ["###"], Constraint = new OutputConstraint(ConstraintKind.Regex, ["a+"]) },
            Model = "m",
            AffinityKey = "k",
            WorstCaseTokens = 99,
        },
        Now,
        2.5);
}
