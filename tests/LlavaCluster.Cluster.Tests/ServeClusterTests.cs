using System.Diagnostics;
using LlavaCluster.Cluster.Tests.Support;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Cluster.Tests;

/// <summary>Two fronts and two workers as a user starts them, over one data directory and a reference checkpoint; a worker goes while answers about a picture run.</summary>
public sealed class ServeClusterTests : IDisposable
{
    private const int Early = 20;
    private const int Tokens = 900;
    private static readonly string[] Front = ["--role", "front"];
    private static readonly string[] Worker = ["--role", "worker", "--model", Goldens.Path("a_llava15"), "--template", "bare"];

    private readonly string _data = Directory.CreateTempSubdirectory("llava-").FullName;
    private readonly CancellationTokenSource _deadline = new(TimeSpan.FromSeconds(120));

    private CancellationToken Stop => _deadline.Token;

    public void Dispose()
    {
        _deadline.Dispose();
        Directory.Delete(_data, recursive: true);
    }

    [Theory]
    [InlineData("KILL")]
    [InlineData("STOP")] // hangs and does not die; comes back when the others have long gone on
    public async Task Worker_GoneInMidAnswer_IsReplacedByTheOther(string signal)
    {
        var starts = await Task.WhenAll(
            Node.ServeAsync(_data, "front-1", Front, Stop),
            Node.ServeAsync(_data, "front-2", Front, Stop),
            Node.ServeAsync(_data, "worker-1", Worker, Stop),
            Node.ServeAsync(_data, "worker-2", Worker, Stop));
        await using var first = starts[0];
        await using var second = starts[1];
        await using var lost = starts[2];
        await using var other = starts[3];
        foreach (var front in new[] { first, second })
        {
            await front.KnowsAsync("worker-1", Stop);
            await front.KnowsAsync("worker-2", Stop);
        }

        // Where a stateless answer runs follows from its words: of these, some run on either worker. Once asked, they all start at once the next time.
        await Task.WhenAll(Questions(1).Select((answer, n) => answer.AskAsync(n % 2 == 0 ? first : second, Stop)));
        var answers = Questions(Tokens);
        var asked = answers.Select((answer, n) => answer.AskAsync(n % 2 == 0 ? first : second, Stop)).ToArray();
        await Task.WhenAll(answers.Select(answer => answer.ReachesAsync(Early, Stop)));
        var dead = first.Lines;
        await lost.SignalAsync(signal, Stop);
        var gone = Stopwatch.GetTimestamp();
        await Task.WhenAny(first.SaysAsync("left worker worker-1/0 after", Stop), second.SaysAsync("left worker worker-1/0 after", Stop)).Unwrap();
        TestContext.Current.SendDiagnosticMessage($"SIG{signal} to leaving the worker: {Stopwatch.GetElapsedTime(gone).TotalSeconds:f1} s");
        await Task.WhenAll(asked);

        var texts = answers.Select(answer => answer.Text).ToArray();
        if (signal == "STOP")
        {
            // The others have declared it dead: it finds that out and ends, and says nothing more in any answer.
            await first.SaysAsync("Silo worker-1 at", Stop, dead);
            var before = first.Lines;
            await lost.SignalAsync("CONT", Stop);
            await lost.ExitAsync(Stop);
            Assert.False(first.HasSaid("Worker worker-1/0 is ready", before));
        }

        await AssertUndisturbedAsync(first, answers);
        Assert.Equal(texts, answers.Select(answer => answer.Text));
    }

    private static StreamedAnswer[] Questions(int tokens) =>
        [.. new[] { 0, 0.9 }.SelectMany(temperature => new[] { "What is this?", "Name the colours.", "How many are there?" }.Select(text => new StreamedAnswer(text, temperature, tokens: tokens)))];

    private async Task AssertUndisturbedAsync(Node front, StreamedAnswer[] answers)
    {
        var undisturbed = Questions(Tokens);
        await Task.WhenAll(undisturbed.Select(answer => answer.AskAsync(front, Stop)));
        Assert.All(answers, answer => Assert.Equal("response.incomplete", answer.ClosedBy)); // cut at its last token, as it should
        Assert.Equal(undisturbed.Select(answer => answer.Text), answers.Select(answer => answer.Text));
    }
}
