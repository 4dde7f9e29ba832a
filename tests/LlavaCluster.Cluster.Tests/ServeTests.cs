using System.Net;
using System.Text.Json;
using LlavaCluster.Cluster.Tests.Support;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Cluster.Tests;

/// <summary>The program as a user starts it, over a reference checkpoint.</summary>
public sealed class ServeTests : IDisposable
{
    private const string Question = """{"messages":[{"role":"user","content":"Hello there"}],"max_tokens":12,"temperature":0,"model":"a_llava15"}""";
    private readonly string _data = Directory.CreateTempSubdirectory("llava-").FullName;
    private readonly CancellationTokenSource _deadline = new(TimeSpan.FromSeconds(120));

    public void Dispose()
    {
        _deadline.Dispose();
        Directory.Delete(_data, recursive: true);
    }

    [Fact]
    public async Task Serve_AfterSigkillAndSigterm_AnswersTheSameAndEndsCleanly()
    {
        string before;
        await using (var first = await Node.ServeAsync(_data, Goldens.Path("a_llava15"), _deadline.Token))
        {
            before = await AnswerAsync(first);
            await first.KillAsync(_deadline.Token);
        }

        await using var second = await Node.ServeAsync(_data, Goldens.Path("a_llava15"), _deadline.Token);
        Assert.Equal(before, await AnswerAsync(second));
        await second.TerminateAsync(_deadline.Token);

        Assert.Equal(0, second.ExitCode);
    }

    private async Task<string> AnswerAsync(Node node)
    {
        while (await node.GetAsync("/health/ready", _deadline.Token) != HttpStatusCode.OK || !(await ModelsAsync(node)).Contains("a_llava15", StringComparison.Ordinal))
        {
            await Task.Delay(50, _deadline.Token);
        }

        var answer = await node.PostAsync("/v1/chat/completions", Question, _deadline.Token);
        using var json = JsonDocument.Parse(answer);
        return json.RootElement.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!;
    }

    private Task<string> ModelsAsync(Node node) => node.ReadAsync("/v1/models", _deadline.Token);
}
