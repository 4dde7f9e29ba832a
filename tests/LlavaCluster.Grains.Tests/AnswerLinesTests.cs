using System.Collections.Immutable;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Hosting.Answers;
using LlavaCluster.Hosting.Operations;
using LlavaCluster.TestSupport;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlavaCluster.Grains.Tests;

public sealed class AnswerLinesTests
{
    private readonly CancellationToken _deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60)).Token;
    private readonly ScriptedEngineHost _engine = new();
    private readonly RunningWork _running = new();
    private readonly AnswerLines _lines;
    private readonly Guid _line = Guid.NewGuid();

    public AnswerLinesTests() => _lines = new AnswerLines(_engine, _running, NullLogger.Instance);

    [Fact]
    public void Ask_WithoutALine_IsRefused() => Assert.False(_lines.Ask(_line, 1, Ask("Who?")));

    [Fact]
    public async Task Listen_TellsEveryAnswerWholeAndInItsOrder()
    {
        await using var batches = await OpenAsync();
        ImmutableArray<GenerateRequest> requests = [Ask("Who?", 700), Ask("Where?", 900), Ask("When?", 800)];
        for (var i = 0; i < requests.Length; i++)
        {
            Assert.True(_lines.Ask(_line, i, requests[i]));
        }

        var said = await ReadAsync(batches, ends: requests.Length);

        for (var i = 0; i < requests.Length; i++)
        {
            var own = said.Where(update => update.Answer == i).Select(update => update.Update!).ToList();
            Assert.Equal(ScriptedEngineHost.Expected(requests[i].Messages, requests[i].Options, 0), string.Concat(own.Select(update => update.Text)));
            Assert.True(own[^1].Completed);
        }
    }

    [Fact]
    public async Task Leave_AbortsThatAnswerAlone()
    {
        var (reached, aborted) = (new TaskCompletionSource(), new TaskCompletionSource());
        _engine.BeforeToken = (position, left) => position == 5 ? UntilLeftAsync(left, reached, aborted) : Task.CompletedTask;
        await using var batches = await OpenAsync();
        Assert.True(_lines.Ask(_line, 1, Ask("Who?", 10)));
        Assert.True(_lines.Ask(_line, 2, Ask("Where?", 5)));

        await reached.Task.WaitAsync(_deadline);
        _lines.Leave(_line, 1);
        await aborted.Task.WaitAsync(_deadline);

        Assert.Contains(await ReadAsync(batches, ends: 1), update => update is { Answer: 2, Update.Completed: true });
    }

    [Fact]
    public async Task Listen_WhenAnAnswerThrows_BreaksItOffAndTellsTheOthers()
    {
        _engine.BeforeToken = (position, _) => position == 5 ? throw new InvalidOperationException("scripted") : Task.CompletedTask;
        await using var batches = await OpenAsync();
        Assert.True(_lines.Ask(_line, 1, Ask("Who?", 10)));
        Assert.True(_lines.Ask(_line, 2, Ask("Where?", 5)));

        var said = await ReadAsync(batches, ends: 2);

        Assert.Null(said.Last(update => update.Answer == 1).Update);
        Assert.True(said.Last(update => update.Answer == 2).Update!.Completed);
    }

    [Fact]
    public async Task Listen_WhenLeft_AbortsAllItsAnswers_AndNothingIsRunning()
    {
        var (reached, aborted) = (new TaskCompletionSource(), new TaskCompletionSource());
        _engine.BeforeToken = (_, left) => UntilLeftAsync(left, reached, aborted);
        await using (var batches = await OpenAsync())
        {
            Assert.True(_lines.Ask(_line, 1, Ask("Who?")));
            Assert.True(await batches.MoveNextAsync());
            await reached.Task.WaitAsync(_deadline);
        }

        await aborted.Task.WaitAsync(_deadline);
        await _running.DrainAsync(_deadline);
        Assert.False(_lines.Ask(_line, 2, Ask("Where?")));
    }

    [Fact]
    public async Task Listen_WhenEveryEndWasTold_NothingIsRunning()
    {
        await using var batches = await OpenAsync();
        Assert.True(_lines.Ask(_line, 1, Ask("Who?", 3)));
        await ReadAsync(batches, ends: 1);

        var next = batches.MoveNextAsync();
        await _running.DrainAsync(_deadline);

        Assert.False(next.IsCompleted);
        Assert.True(_lines.Ask(_line, 2, Ask("Where?", 3)));
        Assert.True(await next);
    }

    private static async Task UntilLeftAsync(CancellationToken left, TaskCompletionSource reached, TaskCompletionSource aborted)
    {
        try
        {
            reached.TrySetResult();
            await Task.Delay(Timeout.Infinite, left);
        }
        finally
        {
            aborted.TrySetResult();
        }
    }

    private async Task<IAsyncEnumerator<AnswerBatch>> OpenAsync()
    {
        var batches = _lines.ListenAsync(_line, _deadline).GetAsyncEnumerator(_deadline);
        Assert.True(await batches.MoveNextAsync());
        Assert.Empty(batches.Current.Updates);
        return batches;
    }

    private static async Task<List<AnswerUpdate>> ReadAsync(IAsyncEnumerator<AnswerBatch> batches, int ends)
    {
        List<AnswerUpdate> said = [];
        while (said.Count(update => update.Update is null or { Completed: true }) < ends && await batches.MoveNextAsync())
        {
            said.AddRange(batches.Current.Updates);
        }

        return said;
    }

    private static GenerateRequest Ask(string text, int tokens = 30) => new()
    {
        Tenant = TenantId.Default,
        TurnId = Guid.NewGuid(),
        Model = ScriptedEngineHost.ModelName,
        Messages = [new ChatMessage(ChatRole.User, [MessagePart.OfText(text)])],
        Options = new GenerationOptions { MaxTokens = tokens, Seed = 7 },
        Journal = [[]],
    };
}
