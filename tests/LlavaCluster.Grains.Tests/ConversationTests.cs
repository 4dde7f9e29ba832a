using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Grains.Tests.Support;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Grains.Tests;

public sealed class ConversationTests
{
    private static readonly ConversationKey Key = ConversationKey.Parse("acme/one");
    private readonly CancellationToken _deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60)).Token;

    [Fact]
    public async Task Follow_WhenTurnRuns_YieldsTheWholeAnswerWithoutGaps()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        front.AddWorker(0);
        var request = TestFront.Ask("What is this?", temperature: 1, choices: 2);

        Assert.Null((await front.Conversation(Key).BeginTurnAsync(request, _deadline)).Failure);
        var events = await front.ReadAsync(Key, request.TurnId, 0, _deadline);

        Assert.Equal(Enumerable.Range(1, 61).Select(n => (long)n), events.Select(step => step.Sequence));
        Assert.Equal(new TokenUsage(13, 0, 0, 60), events[^1].Usage);
        Assert.Null(events[^1].Failure);
        for (var choice = 0; choice < 2; choice++)
        {
            Assert.Equal(
                ScriptedEngineHost.Expected(request.Messages, request.Options, choice),
                string.Concat(events.Where(step => step.Choice == choice).Select(step => step.Text)));
        }
    }

    [Fact]
    public async Task Follow_WhenTheWorkerFoundPartOfThePromptCached_SaysSoAtTheEndAndInTheHistory()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        front.AddWorker(0).CachedTokens = 8;
        var request = TestFront.Ask("What is this?");

        Assert.Null((await front.Conversation(Key).BeginTurnAsync(request, _deadline)).Failure);
        var end = (await front.ReadAsync(Key, request.TurnId, 0, _deadline))[^1].Usage!;

        Assert.Equal((13, 8), (end.PromptTokens, end.CachedTokens));
        Assert.Equal(end, (await front.Conversation(Key).HistoryAsync(_deadline))!.Turns[0].Usage);
    }

    [Fact]
    public async Task Create_MakesAnEmptyConversation_ThatOutlivesTheProcess()
    {
        using var data = new DataFolder();
        DateTimeOffset at;
        await using (var front = await TestFront.StartAsync(data.Path, _deadline))
        {
            Assert.Null(await front.Conversation(Key).HistoryAsync(_deadline));
            Assert.Null(await front.Conversation(Key).CreateAsync(_deadline));
            at = (await front.Conversation(Key).HistoryAsync(_deadline))!.CreatedAt;
        }

        await using var second = await TestFront.StartAsync(data.Path, _deadline);
        Assert.Null(await second.Conversation(Key).CreateAsync(_deadline));
        var kept = (await second.Conversation(Key).HistoryAsync(_deadline))!;
        Assert.Equal((at, 0), (kept.CreatedAt, kept.Turns.Length));
        second.AddWorker(0);
        var request = TestFront.Ask("First");
        Assert.True((await second.Conversation(Key).BeginTurnAsync(request, _deadline)).Begun);
        await second.ReadAsync(Key, request.TurnId, 0, _deadline);
        Assert.Equal(at, (await second.Conversation(Key).HistoryAsync(_deadline))!.CreatedAt);
        Assert.True(await second.Conversation(Key).DeleteAsync(_deadline));
        Assert.Null(await second.Conversation(Key).HistoryAsync(_deadline));
    }

    [Fact]
    public async Task Begin_WhenSentTwice_BeginsOnceAndRefusesAnotherRequest()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        front.AddWorker(0);
        var request = TestFront.Ask("Twice");
        var again = request with { Deadline = DateTimeOffset.MaxValue, Options = request.Options with { Seed = 99 } };
        var other = request with { Model = "another" };

        Assert.True((await front.Conversation(Key).BeginTurnAsync(request, _deadline)).Begun);
        Assert.True((await front.Conversation(Key).BeginTurnAsync(again, _deadline)).Begun);
        Assert.Equal(ChatFailureKind.Conflict, (await front.Conversation(Key).BeginTurnAsync(other, _deadline)).Failure?.Kind);
        await front.ReadAsync(Key, request.TurnId, 0, _deadline);

        Assert.Single((await front.Conversation(Key).HistoryAsync(_deadline))!.Turns);
    }

    [Fact]
    public async Task Follow_WhenWorkerFailsInMidAnswer_GoesOnAtTheOther()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        foreach (var device in new[] { 0, 1 })
        {
            // Whichever is chosen first fails at its eleventh token; the other goes on from there.
            front.AddWorker(device).BeforeToken = FailOnceAt(10);
        }

        var request = TestFront.Ask("Fail over", temperature: 1);
        Assert.True((await front.Conversation(Key).BeginTurnAsync(request, _deadline)).Begun);
        var events = await front.ReadAsync(Key, request.TurnId, 0, _deadline);

        Assert.Equal(Enumerable.Range(1, 31).Select(n => (long)n), events.Select(step => step.Sequence));
        Assert.Equal(ScriptedEngineHost.Expected(request.Messages, request.Options, 0), string.Concat(events.Select(step => step.Text)));
    }

    [Fact]
    public async Task Follow_WhenWorkerFallsSilent_GoesOnAtTheOther()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        var stuck = new TaskCompletionSource<int>();
        foreach (var device in new[] { 0, 1 })
        {
            front.AddWorker(device).BeforeToken = (position, cancellation) =>
                position == 5 && stuck.TrySetResult(device) ? Task.Delay(Timeout.Infinite, cancellation) : Task.CompletedTask;
        }

        var request = TestFront.Ask("Fall silent");
        Assert.True((await front.Conversation(Key).BeginTurnAsync(request, _deadline)).Begun);
        front.Silence(await stuck.Task.WaitAsync(_deadline));
        var events = await front.ReadAsync(Key, request.TurnId, 0, _deadline);

        Assert.Equal(ScriptedEngineHost.Expected(request.Messages, request.Options, 0), string.Concat(events.Select(step => step.Text)));
        Assert.Null(events[^1].Failure);
    }

    [Fact]
    public async Task Restart_WhenAnswerIsUnfinished_CompletesItFromTheLog()
    {
        using var data = new DataFolder();
        var request = TestFront.Ask("Restart", temperature: 1);
        long seen;
        string before;
        await using (var front = await TestFront.StartAsync(data.Path, _deadline))
        {
            var reached = new TaskCompletionSource();
            front.AddWorker(0).BeforeToken = (position, cancellation) => StopAt(position, 12, reached, cancellation);
            await front.Conversation(Key).BeginTurnAsync(request, _deadline);
            await reached.Task.WaitAsync(_deadline);
            (seen, before) = await ReadTextAsync(front, request.TurnId, 12);
        }

        await using var next = await TestFront.StartAsync(data.Path, _deadline);
        next.AddWorker(0);
        var rest = await next.ReadAsync(Key, request.TurnId, seen, _deadline);

        Assert.Equal(12, seen);
        Assert.Equal(13, rest[0].Sequence);
        Assert.Null(rest[^1].Failure);
        Assert.Equal(ScriptedEngineHost.Expected(request.Messages, request.Options, 0), before + string.Concat(rest.Select(step => step.Text)));
    }

    [Fact]
    public async Task Cancel_WhenTurnRuns_KeepsWhatWasSaidAndSettles()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        var reached = new TaskCompletionSource();
        front.AddWorker(0).BeforeToken = (position, cancellation) => StopAt(position, 4, reached, cancellation);
        var request = TestFront.Ask("Cancel");
        await front.Conversation(Key).BeginTurnAsync(request, _deadline);
        await ReadTextAsync(front, request.TurnId, 4);

        Assert.True(await front.Conversation(Key).CancelAsync(request.TurnId, _deadline));
        var events = await front.ReadAsync(Key, request.TurnId, 0, _deadline);

        Assert.Equal(6, events.Length);
        Assert.Equal(FinishReason.Cancelled, events[4].Finish);
        Assert.Equal(new TokenUsage(6, 0, 0, 4), events[5].Usage);
        Assert.False(await front.Conversation(Key).CancelAsync(request.TurnId, _deadline));
        Assert.True(await front.Conversation(Key).DeleteAsync(_deadline));
        Assert.Null(await front.Conversation(Key).HistoryAsync(_deadline));
        Assert.Equal(10, Sum(await front.Tenant(Key.Tenant).UsageAsync(_deadline)));
    }

    [Fact]
    public async Task Cancel_LeavesTheOtherAnswersOfItsWorkerBe()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        var gate = new TaskCompletionSource();
        front.AddWorker(0).BeforeToken = (position, left) => position == 5 ? gate.Task.WaitAsync(left) : Task.CompletedTask;
        var (one, other) = (Key, ConversationKey.Parse("acme/other"));
        var (cancelled, kept) = (TestFront.Ask("What is this?"), TestFront.Ask("What is that?"));
        Assert.Null((await front.Conversation(one).BeginTurnAsync(cancelled, _deadline)).Failure);
        Assert.Null((await front.Conversation(other).BeginTurnAsync(kept, _deadline)).Failure);

        Assert.True(await front.Conversation(one).CancelAsync(cancelled.TurnId, _deadline));
        Assert.Equal(FinishReason.Cancelled, (await front.ReadAsync(one, cancelled.TurnId, 0, _deadline))[^2].Finish);
        gate.SetResult();
        var events = await front.ReadAsync(other, kept.TurnId, 0, _deadline);

        Assert.Equal(ScriptedEngineHost.Expected(kept.Messages, kept.Options, 0), string.Concat(events.Select(step => step.Text)));
    }

    [Fact]
    public async Task CancelUnread_WhileSomebodyFollows_LeavesTheTurnBe()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        var reached = new TaskCompletionSource();
        front.AddWorker(0).BeforeToken = (position, cancellation) => StopAt(position, 4, reached, cancellation);
        var request = TestFront.Ask("Cancel unread");
        await front.Conversation(Key).BeginTurnAsync(request, _deadline);
        var reader = front.Conversation(Key).FollowAsync(request.TurnId, 0, _deadline).GetAsyncEnumerator(_deadline);
        Assert.True(await reader.MoveNextAsync());

        Assert.False(await front.Conversation(Key).CancelUnreadAsync(request.TurnId, _deadline));
        await reader.DisposeAsync();
        while (!await front.Conversation(Key).CancelUnreadAsync(request.TurnId, _deadline))
        {
            await Task.Yield();
        }

        Assert.Equal(FinishReason.Cancelled, (await front.ReadAsync(Key, request.TurnId, 0, _deadline))[^2].Finish);
    }

    [Fact]
    public async Task Begin_LetsReadersInThisProcessFollowWithoutTheGrain()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        front.AddWorker(0);
        var request = TestFront.Ask("Near");
        await front.Conversation(Key).BeginTurnAsync(request, _deadline);

        Assert.True(front.LocalTurns.TryFind(Key, request.TurnId, out var feed));
        var events = new List<TurnEvent>();
        await foreach (var step in feed.FollowAsync(0, _deadline))
        {
            events.Add(step);
        }

        Assert.Equal((await front.ReadAsync(Key, request.TurnId, 0, _deadline)).Select(step => (step.Sequence, step.Text)), events.Select(step => (step.Sequence, step.Text)));
        Assert.False(front.LocalTurns.TryFind(Key, Guid.NewGuid(), out _));
    }

    [Fact]
    public async Task Delete_TakesTheAnswerFromReadersInThisProcessToo()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        front.AddWorker(0);
        var request = TestFront.Ask("Forget me");
        await front.Conversation(Key).BeginTurnAsync(request, _deadline);
        await front.ReadAsync(Key, request.TurnId, 0, _deadline);
        Assert.True(front.LocalTurns.TryFind(Key, request.TurnId, out _));

        Assert.True(await front.Conversation(Key).DeleteAsync(_deadline));

        Assert.False(front.LocalTurns.TryFind(Key, request.TurnId, out _));
    }

    [Fact]
    public async Task Follow_WhenEveryWorkerIsLostAtTheFirstToken_EndsWithoutAnAnswer()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        foreach (var device in new[] { 0, 1 })
        {
            front.AddWorker(device).BeforeToken = (_, _) => throw new InvalidOperationException("a request that kills its worker");
        }

        var request = TestFront.Ask("Poison");
        Assert.True((await front.Conversation(Key).BeginTurnAsync(request, _deadline)).Begun);
        var events = await front.ReadAsync(Key, request.TurnId, 0, _deadline);

        Assert.Equal(ChatFailureKind.ModelUnavailable, events[^1].Failure?.Kind);
        Assert.Equal(new TokenUsage(6, 0, 0, 0), events[^1].Usage);
    }

    [Fact]
    public async Task Follow_WithADeadlineBeyondAnyTimer_YieldsTheAnswer()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        front.AddWorker(0);
        var request = TestFront.Ask("No hurry") with { Deadline = DateTimeOffset.MaxValue };

        Assert.True((await front.Conversation(Key).BeginTurnAsync(request, _deadline)).Begun);
        var events = await front.ReadAsync(Key, request.TurnId, 0, _deadline);

        Assert.Equal((31, null), (events.Length, events[^1].Failure));
    }

    [Fact]
    public async Task Begin_WhenEveryWorkerIsOverloaded_EndsWithRetryAfter()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        front.AddWorker(0).Refusal = new ChatFailure(ChatFailureKind.Overloaded, "full");
        front.AddWorker(1).Refusal = new ChatFailure(ChatFailureKind.Overloaded, "full");
        var request = TestFront.Ask("Overload");

        await front.Conversation(Key).BeginTurnAsync(request, _deadline);
        var events = await front.ReadAsync(Key, request.TurnId, 0, _deadline);

        Assert.Equal(new ChatFailure(ChatFailureKind.Overloaded, "full", null, TimeSpan.FromSeconds(1)), events[^1].Failure);
    }

    [Fact]
    public async Task Call_WithAnotherTenantsStamp_IsDenied()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        var conversation = front.Conversation(Key);
        front.Stamps.Stamp(TenantId.Parse("other"));

        await Assert.ThrowsAsync<TenantMismatchException>(() => conversation.HistoryAsync(_deadline));
        await Assert.ThrowsAsync<TenantMismatchException>(async () => await conversation.FollowAsync(Guid.NewGuid(), 0, _deadline).GetAsyncEnumerator(_deadline).MoveNextAsync());
    }

    [Fact]
    public async Task Timer_OfATenantsGrain_IsNotDenied()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        front.Stamps.Stamp(Key.Tenant);

        await front.Grains.GetGrain<ITimedGrain>(Key.ToString()).TickAsync(new CancellationTokenSource(TimeSpan.FromSeconds(10)).Token);
    }

    private static Func<int, CancellationToken, Task> FailOnceAt(int position)
    {
        var failed = 0;
        return (at, _) => at == position && Interlocked.Exchange(ref failed, 1) == 0 ? throw new InvalidOperationException("a device fault") : Task.CompletedTask;
    }

    private static Task StopAt(int position, int at, TaskCompletionSource reached, CancellationToken cancellation)
    {
        if (position != at)
        {
            return Task.CompletedTask;
        }

        reached.TrySetResult();
        return Task.Delay(Timeout.Infinite, cancellation);
    }

    private static long Sum(TenantUsage usage) => usage.PromptTokens + usage.CompletionTokens;

    private async Task<(long Seen, string Text)> ReadTextAsync(TestFront front, Guid turn, int events)
    {
        var (seen, text) = (0L, "");
        await foreach (var step in front.Conversation(Key).FollowAsync(turn, 0, _deadline).WithCancellation(_deadline))
        {
            (seen, text) = (step.Sequence, text + step.Text);
            if (seen == events)
            {
                break;
            }
        }

        return (seen, text);
    }
}
