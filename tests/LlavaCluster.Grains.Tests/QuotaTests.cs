using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Grains.Tests.Support;
using LlavaCluster.Storage.Conversations;

namespace LlavaCluster.Grains.Tests;

/// <summary>Quotas as the turns of conversations meet them.</summary>
public sealed class QuotaTests
{
    private static readonly ConversationKey One = ConversationKey.Parse("acme/one");
    private static readonly ConversationKey Two = ConversationKey.Parse("acme/two");
    private readonly CancellationToken _deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60)).Token;

    [Fact]
    public async Task Begin_OverTheConcurrencyQuota_IsRefusedUntilATurnEnds()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        var open = new TaskCompletionSource();
        front.AddWorker(0).BeforeToken = (_, cancellation) => open.Task.WaitAsync(cancellation);
        await front.Tenant(One.Tenant).SetQuotaAsync(new TenantQuota { ConcurrentTurns = 1 }, _deadline);
        var (first, second) = (TestFront.Ask("First"), TestFront.Ask("Second"));

        Assert.True((await front.Conversation(One).BeginTurnAsync(first, _deadline)).Begun);
        Assert.Equal(ChatFailureKind.QuotaExceeded, (await front.Conversation(One).BeginTurnAsync(second, _deadline)).Failure?.Kind);
        open.SetResult();
        await front.ReadAsync(One, first.TurnId, 0, _deadline);
        Assert.True(await front.Conversation(One).DeleteAsync(_deadline)); // waits for the settlement

        Assert.True((await front.Conversation(One).BeginTurnAsync(second, _deadline)).Begun);
    }

    [Fact]
    public async Task Begin_WithOneTurnIdInTwoConversations_CountsTwice()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        front.AddWorker(0);
        var request = TestFront.Ask("Again");

        await AnswerAsync(front, One, request);
        await AnswerAsync(front, Two, request);

        var usage = await front.Tenant(One.Tenant).UsageAsync(_deadline);
        Assert.Equal((2, 10, 60), (usage.Turns, usage.PromptTokens, usage.CompletionTokens));
    }

    [Fact]
    public async Task Begin_WithAnEndedTurnsIdInAnotherConversation_IsRefusedOverTheQuota()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        front.AddWorker(0);
        await front.Tenant(One.Tenant).SetQuotaAsync(new TenantQuota { RequestsPerMinute = 1 }, _deadline);
        var request = TestFront.Ask("Free of charge");

        await AnswerAsync(front, One, request);

        Assert.Equal(ChatFailureKind.QuotaExceeded, (await front.Conversation(Two).BeginTurnAsync(request, _deadline)).Failure?.Kind);
    }

    [Fact]
    public async Task Begin_OfADeletedTurnAgain_IsRefusedOverTheQuota()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        front.AddWorker(0);
        await front.Tenant(One.Tenant).SetQuotaAsync(new TenantQuota { RequestsPerMinute = 1 }, _deadline);
        var request = TestFront.Ask("Deleted");

        await AnswerAsync(front, One, request);
        Assert.True(await front.Conversation(One).DeleteAsync(_deadline));

        Assert.Equal(ChatFailureKind.QuotaExceeded, (await front.Conversation(One).BeginTurnAsync(request, _deadline)).Failure?.Kind);
    }

    /// <summary>Begins a turn and returns when it is answered and settled.</summary>
    private async Task AnswerAsync(TestFront front, ConversationKey key, TurnRequest request)
    {
        var settled = new TaskCompletionSource();
        front.Faults.Taken = record =>
        {
            if (record is TurnSettled)
            {
                settled.TrySetResult();
            }
        };
        Assert.True((await front.Conversation(key).BeginTurnAsync(request, _deadline)).Begun);
        await settled.Task.WaitAsync(_deadline);
    }
}
