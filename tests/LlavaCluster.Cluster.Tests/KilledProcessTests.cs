using System.Collections.Immutable;
using System.Diagnostics;
using System.Net;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Cluster.Tests.Support;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Cluster.Tests;

/// <summary>Real processes on loopback over one data directory; the engine is scripted, everything else is the product.</summary>
public sealed class KilledProcessTests : IDisposable
{
    private const int Tokens = 60;
    private readonly string _data = Directory.CreateTempSubdirectory("llava-").FullName;
    private readonly CancellationTokenSource _deadline = new(TimeSpan.FromSeconds(120));
    private readonly Guid _turn = Guid.NewGuid();

    private CancellationToken Stop => _deadline.Token;

    public void Dispose()
    {
        _deadline.Dispose();
        Directory.Delete(_data, recursive: true);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task SingleProcess_KilledInMidAnswer_CompletesItAfterRestart(double temperature)
    {
        var reading = new Reading("one", _turn);
        await using (var first = await Node.StartAsync("All", _data, "all", Stop))
        {
            await first.KnowsAsync("all", Stop);
            Assert.Equal("Begun", await first.BeginAsync("one", _turn, "Describe", Tokens, temperature, Stop));
            await reading.ReadAsync(first, 20, Stop);
            await first.KillAsync(Stop);
        }

        var killed = Stopwatch.GetTimestamp();
        await using var second = await Node.StartAsync("All", _data, "all", Stop);
        await second.SaysAsync($"Resumes turn {_turn}", Stop);
        await reading.ReadAsync(second, 21, Stop);
        TestContext.Current.SendDiagnosticMessage($"restart to next token: {Stopwatch.GetElapsedTime(killed).TotalSeconds:f1} s");
        await reading.ReadAsync(second, int.MaxValue, Stop);

        AssertWhole(reading, "Describe", temperature);
        Assert.Equal("Begun", await second.BeginAsync("one", _turn, "Describe", Tokens, temperature, Stop));
        Assert.Equal("Conflict", await second.BeginAsync("one", _turn, "Another question", Tokens, temperature, Stop));
    }

    [Fact]
    public async Task Worker_KilledInMidAnswer_IsReplacedByTheOther()
    {
        await using var front = await Node.StartAsync("Front", _data, "front-a", Stop);
        await using var first = await Node.StartAsync("Worker", _data, "worker-a", Stop);
        await using var second = await Node.StartAsync("Worker", _data, "worker-b", Stop);
        await front.KnowsAsync("worker-a", Stop);
        await front.KnowsAsync("worker-b", Stop);
        var reading = new Reading("two", _turn); // a name that ranks the first worker first
        Assert.Equal("Begun", await front.BeginAsync("two", _turn, "Fail over", Tokens, 1, Stop));
        await reading.ReadAsync(front, 20, Stop);

        await first.KillAsync(Stop);
        var killed = Stopwatch.GetTimestamp();
        await front.SaysAsync($"Turn {_turn} left worker worker-a/0", Stop);
        await reading.ReadAsync(front, int.MaxValue, Stop);

        TestContext.Current.SendDiagnosticMessage($"worker's death to the end of the answer: {Stopwatch.GetElapsedTime(killed).TotalSeconds:f1} s");
        AssertWhole(reading, "Fail over", 1);
    }

    [Fact]
    public async Task Front_KilledInMidAnswer_IsReplacedByTheOther()
    {
        await using var first = await Node.StartAsync("Front", _data, "front-a", Stop);
        await using var second = await Node.StartAsync("Front", _data, "front-b", Stop);
        await using var worker = await Node.StartAsync("Worker", _data, "worker-a", Stop);
        await first.KnowsAsync("worker-a", Stop);
        await second.KnowsAsync("worker-a", Stop);
        var reading = new Reading("three", _turn);
        Assert.Equal("Begun", await first.BeginAsync("three", _turn, "Front", Tokens, 1, Stop));
        await reading.ReadAsync(first, 20, Stop);

        await first.KillAsync(Stop);
        var killed = Stopwatch.GetTimestamp();
        await second.SaysAsync($"Resumes turn {_turn}", Stop);
        await reading.ReadAsync(second, 21, Stop);
        TestContext.Current.SendDiagnosticMessage($"front's death to next token: {Stopwatch.GetElapsedTime(killed).TotalSeconds:f1} s");
        await reading.ReadAsync(second, int.MaxValue, Stop);

        AssertWhole(reading, "Front", 1);
    }

    [Fact]
    public async Task Worker_Terminated_LetsTheAnswerEndFirst()
    {
        await using var front = await Node.StartAsync("Front", _data, "front-a", Stop);
        await using var worker = await Node.StartAsync("Worker", _data, "worker-a", Stop);
        await front.KnowsAsync("worker-a", Stop);

        // Long enough for the front to miss a worker that has stopped reporting.
        Assert.Equal("Begun", await front.BeginAsync("five", _turn, "Drain a worker", 2 * Tokens, 0, Stop));
        var reading = new Reading("five", _turn);
        var read = reading.ReadAsync(front, int.MaxValue, Stop);
        await reading.Begun.WaitAsync(Stop);
        var ended = worker.TerminateAsync(Stop);
        await front.SaysAsync("Worker worker-a/0 is not ready", Stop);
        await read;
        await ended;

        AssertWhole(reading, "Drain a worker", 0, 2 * Tokens);
        Assert.Equal(0, worker.ExitCode);
    }

    [Fact]
    public async Task Process_Terminated_LetsTheAnswerEndFirst()
    {
        await using var node = await Node.StartAsync("All", _data, "all", Stop);
        await node.KnowsAsync("all", Stop);
        Assert.Equal(HttpStatusCode.OK, await node.GetAsync("/health/ready", Stop));
        Assert.Equal(HttpStatusCode.OK, await node.GetAsync("/metrics", Stop));
        Assert.Equal("Begun", await node.BeginAsync("four", _turn, "Drain", Tokens, 0, Stop));
        var reading = new Reading("four", _turn);

        // One connection from before the signal: a process that stops takes no new ones.
        var read = reading.ReadAsync(node, int.MaxValue, Stop);
        await reading.Begun.WaitAsync(Stop);
        var ended = node.TerminateAsync(Stop);
        await read;
        await ended;

        AssertWhole(reading, "Drain", 0);
        Assert.Equal(0, node.ExitCode);
    }

    [Fact]
    public async Task Quota_OverTwoFrontsUnderLoad_IsExact()
    {
        await using var first = await Node.StartAsync("Front", _data, "front-a", Stop);
        await using var second = await Node.StartAsync("Front", _data, "front-b", Stop);
        await using var worker = await Node.StartAsync("Worker", _data, "worker-a", Stop);
        await first.KnowsAsync("worker-a", Stop);
        await second.KnowsAsync("worker-a", Stop);
        await first.SetQuotaAsync(5, Stop);

        var begun = await Task.WhenAll(Enumerable.Range(0, 40).Select(n =>
            (n % 2 == 0 ? first : second).BeginAsync($"load-{n}", Guid.NewGuid(), "Load", 500, 0, Stop)));

        Assert.Equal(5, begun.Count(result => result == "Begun"));
        Assert.Equal(35, begun.Count(result => result == "QuotaExceeded"));
    }

    private static void AssertWhole(Reading reading, string text, double temperature, int tokens = Tokens)
    {
        ImmutableArray<ChatMessage> messages = [new(ChatRole.User, [MessagePart.OfText(text)])];
        var options = new GenerationOptions { MaxTokens = tokens, Seed = 7, Temperature = temperature };
        Assert.Null(reading.Last.Failure);
        Assert.Equal(ScriptedEngineHost.Expected(messages, options, 0), reading.Text);
        Assert.Equal(Enumerable.Range(1, tokens + 1).Select(n => (long)n), reading.Sequences);
    }
}
