using LlavaCluster.Cluster.Tests.Support;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Cluster.Tests;

/// <summary>The program as a user starts it, over a reference checkpoint, killed and frozen while it answers about a picture.</summary>
public sealed class ServeTests : IDisposable
{
    private static readonly string[] Model = ["--model", Goldens.Path("a_llava15"), "--template", "bare"];

    /// <summary>Read before anything happens: early in answers of 700 tokens.</summary>
    private const int Early = 20;

    private readonly string _data = Directory.CreateTempSubdirectory("llava-").FullName;
    private readonly CancellationTokenSource _deadline = new(TimeSpan.FromSeconds(120));

    private CancellationToken Stop => _deadline.Token;

    public void Dispose()
    {
        _deadline.Dispose();
        Directory.Delete(_data, recursive: true);
    }

    [Fact]
    public async Task Serve_KilledInMidAnswer_CompletesItAfterRestartAndTerminatedLetsOneEnd()
    {
        string[] conversations;
        StreamedAnswer[] answers;
        await using (var first = await Node.ServeAsync(_data, "all", Model, Stop))
        {
            await first.KnowsAsync("all", Stop);
            conversations = await Task.WhenAll(StreamedAnswer.CreateConversationAsync(first, Stop), StreamedAnswer.CreateConversationAsync(first, Stop));
            answers = [new("What is this?", 0, conversations[0]), new("What is this?", 0.9, conversations[1])];
            var asked = answers.Select(answer => answer.AskAsync(first, Stop)).ToArray();
            await Task.WhenAll(answers.Select(answer => answer.ReachesAsync(Early, Stop)));
            await first.KillAsync(Stop);
            await Task.WhenAll(asked);
        }

        Assert.All(answers, answer => Assert.Null(answer.ClosedBy));
        await using var second = await Node.ServeAsync(_data, "all", Model, Stop);
        await Task.WhenAll(answers.Select(answer => answer.GoOnAsync(second, Stop)));

        await AssertUndisturbedAsync(second, answers, ["What is this?", "What is this?"], [0, 0.9]);
        foreach (var conversation in conversations)
        {
            var items = await second.Http.GetStringAsync($"/v1/conversations/{conversation}/items", Stop);
            Assert.Contains("What is this?", items, StringComparison.Ordinal);
        }

        var last = new StreamedAnswer("Goodbye.", 0);
        var asking = last.AskAsync(second, Stop);
        await last.ReachesAsync(Early, Stop);
        await second.TerminateAsync(Stop);
        await asking;
        Assert.Equal("response.incomplete", last.ClosedBy);
        Assert.Equal(0, second.ExitCode);
    }

    private async Task AssertUndisturbedAsync(Node node, StreamedAnswer[] answers, string[] texts, double[] temperatures)
    {
        var undisturbed = texts.Zip(temperatures, (text, temperature) => new StreamedAnswer(text, temperature)).ToArray();
        foreach (var answer in undisturbed)
        {
            await answer.AskAsync(node, Stop);
        }

        Assert.All(answers, answer => Assert.Equal("response.incomplete", answer.ClosedBy)); // cut at its last token, as it should
        Assert.Equal(undisturbed.Select(answer => answer.Text), answers.Select(answer => answer.Text));
    }
}
