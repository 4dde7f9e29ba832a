using System.Text.Json;

namespace LlavaCluster.Cli.Tests.Commands;

/// <summary><c>llava bench ring</c>.</summary>
public sealed class BenchRingCommandTests
{
    [Fact]
    public async Task Ring_PrintsARowAndWritesItsFigures()
    {
        var file = Path.GetTempFileName();
        try
        {
            var (code, printed, errors) = await CommandLine.RunAsync(["bench", "ring", "--members", "3", "--mb", "3", "--rounds", "2", "--out", file], TestContext.Current.CancellationToken);

            Assert.Equal((0, ""), (code, errors));
            Assert.Contains("| 3 | 3 MiB |", printed, StringComparison.Ordinal);
            using var json = JsonDocument.Parse(await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken));
            Assert.Equal(16 * ((256 << 10) + 40), json.RootElement.GetProperty("bytesSentPerSum").GetInt64()); // four turns of a MiB
            Assert.True(json.RootElement.GetProperty("rate").GetDouble() > 0);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [InlineData("--members", "1", "--members must be from 2 to 64; was 1.")]
    [InlineData("--mb", "2001", "--mb must be from 1 to 2000; was 2001.")]
    public void BadOptions_NameTheBoundAndTheValue(string option, string value, string message) =>
        Assert.Contains(CommandLine.Parse("bench", "ring", option, value).Errors, error => error.Message == message);
}
