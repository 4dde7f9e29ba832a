using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Grains.Tests.Support;
using LlavaCluster.Storage;
using LlavaCluster.Storage.Conversations;
using LlavaCluster.TestSupport;
using Orleans.Runtime;

namespace LlavaCluster.Grains.Tests;

/// <summary>Conversations over a store that refuses.</summary>
public sealed class StoreFaultTests
{
    private static readonly ConversationKey Key = ConversationKey.Parse("acme/one");
    private readonly CancellationToken _deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30)).Token;

    [Fact]
    public async Task Begin_WhenTheTenantsRecordDoesNotFit_SaysThatTheStoreIsFull()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        front.AddWorker(0);
        front.Faults.OfChange = _ => StorageFault.Full;
        var request = TestFront.Ask("Full");

        Assert.Equal(ChatFailureKind.StorageFull, (await front.Conversation(Key).BeginTurnAsync(request, _deadline)).Failure?.Kind);
        front.Faults.OfChange = _ => null;

        Assert.True((await front.Conversation(Key).BeginTurnAsync(request, _deadline)).Begun);
    }

    [Fact]
    public async Task Begin_WhenNeitherTheQuestionNorTheRefundFits_SaysThatTheStoreIsFull()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        front.AddWorker(0);
        front.Faults.OfRecord = _ => StorageFault.Full;
        front.Faults.OfChange = change => change.PutLease is null ? StorageFault.Full : null;

        var refused = await front.Conversation(Key).BeginTurnAsync(TestFront.Ask("Full"), _deadline);

        Assert.Equal(ChatFailureKind.StorageFull, refused.Failure?.Kind);
    }

    [Fact]
    public async Task Begin_WhenAnotherActivationIsAhead_GivesTheLeaseBack()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        front.AddWorker(0);
        await front.Tenant(Key.Tenant).SetQuotaAsync(new Abstractions.Tenants.TenantQuota { ConcurrentTurns = 1 }, _deadline);
        front.Faults.OfRecord = _ => StorageFault.Conflict;
        var request = TestFront.Ask("Ahead at the beginning");

        await Assert.ThrowsAsync<OrleansException>(() => front.Conversation(Key).BeginTurnAsync(request, _deadline));
        front.Faults.OfRecord = _ => null;

        Assert.True((await front.Conversation(Key).BeginTurnAsync(request, _deadline)).Begun);
    }

    [Fact]
    public async Task Begin_AfterAReservationWhoseReplyWasLost_AsksForTheSameLease()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        front.AddWorker(0);
        await front.Tenant(Key.Tenant).SetQuotaAsync(new Abstractions.Tenants.TenantQuota { ConcurrentTurns = 1 }, _deadline);
        front.Faults.AfterChange = _ => StorageFault.Unavailable;
        var request = TestFront.Ask("Unheard");

        await Assert.ThrowsAsync<OrleansException>(() => front.Conversation(Key).BeginTurnAsync(request, _deadline));
        front.Faults.AfterChange = _ => null;
        await Assert.ThrowsAsync<OrleansException>(() => front.Conversation(Key).BeginTurnAsync(request, _deadline)); // The tenant finds itself behind its record.

        Assert.True((await front.Conversation(Key).BeginTurnAsync(request, _deadline)).Begun);
    }

    [Fact]
    public async Task Follow_WhenTokensDoNotFit_IsInterruptedWithoutANumberAndGoesOnWhenThereIsRoom()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        front.AddWorker(0);
        var request = TestFront.Ask("Full in mid-answer", temperature: 1);
        var tokens = 0;
        front.Faults.OfRecord = record => record is TokensEmitted emitted && (tokens += emitted.Emissions.Length) > 10 ? StorageFault.Full : null;

        Assert.True((await front.Conversation(Key).BeginTurnAsync(request, _deadline)).Begun);
        var said = await front.ReadAsync(Key, request.TurnId, 0, _deadline);
        front.Faults.OfRecord = _ => null;
        Assert.True((await front.Conversation(Key).BeginTurnAsync(request, _deadline)).Begun);
        var rest = await front.ReadAsync(Key, request.TurnId, said[^1].Sequence, _deadline);

        Assert.Equal(ChatFailureKind.StorageFull, said[^1].Failure?.Kind);
        Assert.Equal(said.Length - 1, said[^1].Sequence);
        Assert.Null(rest[^1].Failure);
        Assert.Equal(ScriptedEngineHost.Expected(request.Messages, request.Options, 0), string.Concat(said.Concat(rest).Select(step => step.Text)));
    }

    [Fact]
    public async Task Follow_WhenAnotherActivationIsAhead_BreaksOffAndGoesOnThere()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        var open = new TaskCompletionSource();
        front.AddWorker(0).BeforeToken = (position, cancellation) => position == 3 ? open.Task.WaitAsync(cancellation) : Task.CompletedTask;
        var conflicts = 0;
        front.Faults.OfRecord = record => record is TokensEmitted && conflicts-- > 0 ? StorageFault.Conflict : null;
        var request = TestFront.Ask("Ahead", temperature: 1);

        Assert.True((await front.Conversation(Key).BeginTurnAsync(request, _deadline)).Begun);
        await using var reader = front.Conversation(Key).FollowAsync(request.TurnId, 2, _deadline).GetAsyncEnumerator(_deadline);
        Assert.True(await reader.MoveNextAsync()); // All three tokens before the gate are said.
        conflicts = 1;
        open.SetResult();
        await Assert.ThrowsAsync<EnumerationAbortedException>(async () => await reader.MoveNextAsync());
        var events = await front.ReadAsync(Key, request.TurnId, 0, _deadline);

        Assert.Null(events[^1].Failure);
        Assert.Equal(ScriptedEngineHost.Expected(request.Messages, request.Options, 0), string.Concat(events.Select(step => step.Text)));
    }

    [Fact]
    public async Task Settle_WhenTheLogRefusesOnce_IsTriedAgain()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        front.AddWorker(0);
        var (refusals, settled) = (1, new TaskCompletionSource());
        front.Faults.OfRecord = record => record is TurnSettled && refusals-- > 0 ? StorageFault.Full : null;
        front.Faults.Taken = record =>
        {
            if (record is TurnSettled)
            {
                settled.TrySetResult();
            }
        };
        var request = TestFront.Ask("Settle");

        Assert.True((await front.Conversation(Key).BeginTurnAsync(request, _deadline)).Begun);
        await settled.Task.WaitAsync(_deadline);

        Assert.Equal(36, Sum(await front.Tenant(Key.Tenant).UsageAsync(_deadline)));
    }

    private static long Sum(Abstractions.Tenants.TenantUsage usage) => usage.PromptTokens + usage.CompletionTokens;
}
