using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Grains.Conversations;
using Microsoft.Extensions.Time.Testing;

namespace LlavaCluster.Grains.Tests;

public sealed class AttemptLedgerTests
{
    private static readonly WorkerKey Worker = new("w", 0);
    private static readonly GenerateUpdate Prompt = new() { Usage = new TokenUsage(5, 0, 0, 0) };
    private static readonly GenerateUpdate Token = new() { Token = 7, Text = "x" };
    private static readonly GenerateUpdate Full = new() { Completed = true, Failure = new ChatFailure(ChatFailureKind.Overloaded, "full") };

    private readonly FakeTimeProvider _clock = new();
    private readonly AttemptLedger _ledger;

    public AttemptLedgerTests() => _ledger = new AttemptLedger(_clock);

    [Fact]
    public void Take_WhenEachWorkerIsLostAfterCountingThePrompt_GivesUpAtTheFifth()
    {
        for (var attempt = 1; attempt <= 5; attempt++)
        {
            Assert.Null(_ledger.Failure);
            _ledger.Hear([Prompt]);
            _ledger.Take(Worker, null);
        }

        Assert.Equal(ChatFailureKind.ModelUnavailable, _ledger.Failure?.Kind);
    }

    [Fact]
    public void Take_WhenATokenCameBetween_CountsAnew()
    {
        for (var attempt = 0; attempt < 20; attempt++)
        {
            _ledger.Hear([Prompt]);
            _ledger.Hear([Token]);
            _ledger.Take(Worker, null);
        }

        Assert.Null(_ledger.Failure);
    }

    [Fact]
    public async Task Take_OfWorkersThatAreFullOrDead_LeavesItToThePatience()
    {
        for (var attempt = 0; attempt < 100; attempt++)
        {
            _ledger.Take(Worker, null);
            _ledger.Hear([Prompt, Full]);
            _ledger.Take(Worker, Full);
            await WaitAsync();
        }

        Assert.Null(_ledger.Failure);
        _clock.Advance(TimeSpan.FromSeconds(91));
        await WaitAsync();
        Assert.Equal(ChatFailureKind.ModelUnavailable, _ledger.Failure?.Kind);
    }

    [Fact]
    public async Task Wait_CountsFromTheLossAndNotFromTheLastToken()
    {
        _ledger.Hear([Token]);
        _clock.Advance(TimeSpan.FromMinutes(10));
        _ledger.Take(Worker, null);
        await WaitAsync();
        _clock.Advance(TimeSpan.FromSeconds(90));
        await WaitAsync();
        Assert.Null(_ledger.Failure);

        _clock.Advance(TimeSpan.FromTicks(1));
        await WaitAsync();
        Assert.Equal(ChatFailureKind.ModelUnavailable, _ledger.Failure?.Kind);
    }

    [Fact]
    public async Task Hear_OfATokenClearsTheClock_AndOfAPromptOrAFailureDoesNot()
    {
        _ledger.Take(Worker, null);
        _clock.Advance(TimeSpan.FromSeconds(80));
        _ledger.Hear([Token]);
        _ledger.Take(Worker, null);
        _clock.Advance(TimeSpan.FromSeconds(80));
        _ledger.Hear([Prompt, Full]);
        await WaitAsync();
        Assert.Null(_ledger.Failure);

        _clock.Advance(TimeSpan.FromSeconds(11));
        await WaitAsync();
        Assert.NotNull(_ledger.Failure);
    }

    private Task WaitAsync() => _ledger.WaitAsync(Task.CompletedTask, speaking: true, TestContext.Current.CancellationToken);
}
