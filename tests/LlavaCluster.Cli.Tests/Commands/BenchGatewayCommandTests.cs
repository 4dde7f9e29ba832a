using System.Text.Json;

namespace LlavaCluster.Cli.Tests.Commands;

/// <summary><c>llava bench gateway</c>: the whole cluster in this process, without a model.</summary>
public sealed class BenchGatewayCommandTests
{
    [Fact]
    public async Task Streams_AllComeWhole()
    {
        var file = Path.GetTempFileName();
        try
        {
            var (code, printed, errors) = await CommandLine.RunAsync(["bench", "gateway", "--streams", "5", "--rate", "50", "--seconds", "3", "--out", file], TestContext.Current.CancellationToken);

            Assert.True(code == 0, errors);
            Assert.Contains("| 5 (0 failed) | 50 |", printed, StringComparison.Ordinal);
            using var json = JsonDocument.Parse(await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken));
            Assert.InRange(json.RootElement.GetProperty("added").GetProperty("tokens").GetInt32(), 1, 5 * 50 * 3);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [InlineData("--streams", "0", "--streams must be from 1 to 10000; was 0.")]
    [InlineData("--rate", "1001", "--rate must be from 1 to 1000; was 1001.")]
    public void BadOptions_NameTheBoundAndTheValue(string option, string value, string message) =>
        Assert.Contains(CommandLine.Parse("bench", "gateway", option, value).Errors, error => error.Message == message);
}
