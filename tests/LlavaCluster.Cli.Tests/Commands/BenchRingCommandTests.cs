using System.Text.Json;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Cli.Tests.Commands;

/// <summary><c>llava bench ring</c>.</summary>
public sealed class BenchRingCommandTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

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

    /// <summary>Members in processes of their own: what they learn together is what one learns.</summary>
    [Fact]
    public async Task Train_ComparesOneMemberWithTwo()
    {
        var folder = Directory.CreateTempSubdirectory("llava-ring-").FullName;
        try
        {
            var (data, recipe, file) = (Path.Combine(folder, "data.json"), Path.Combine(folder, "recipe.json"), Path.Combine(folder, "figures.json"));
            await File.WriteAllTextAsync(data, JsonSerializer.Serialize(Enumerable.Range(0, 24).Select(i => new { id = $"r{i}", conversations = new[] { new { from = "human", value = $"What is {i}?" }, new { from = "gpt", value = $"It is {i % 3}." } } })), Stop);
            await File.WriteAllTextAsync(recipe, """{"method":"lora","lora":{"rank":4,"dropout":0.1},"epochs":4,"global_batch":4,"micro_batch":2,"template":"bare","learning_rate":0.001,"held_out_count":4}""", Stop);

            var (code, printed, errors) = await CommandLine.RunAsync(["bench", "ring", "train", "--model", Goldens.Path("a_llava15"), "--data", data, "--recipe", recipe, "--local-steps", "5", "--out", file], Stop);

            Assert.True(code == 0, errors);
            Assert.Contains("20 steps of 4 samples", printed, StringComparison.Ordinal);
            Assert.Contains("| members end in the same weights, bit for bit | yes |", printed, StringComparison.Ordinal);
            using var json = JsonDocument.Parse(await File.ReadAllTextAsync(file, Stop));
            Assert.InRange(json.RootElement.GetProperty("lossDifference").GetDouble(), 0, 1e-4);
            Assert.InRange(json.RootElement.GetProperty("bytesRatio").GetDouble(), 4.9, 5.1); // 20 sums, 4 agreements
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task Train_OfAModelThatIsNone_SaysWhatItsMembersSay()
    {
        var (code, _, errors) = await CommandLine.RunAsync(["bench", "ring", "train", "--model", "nowhere", "--data", "nothing.json"], Stop);

        Assert.Equal(1, code);
        Assert.Contains("A member's process ended: ", errors, StringComparison.Ordinal);
        Assert.Contains("nowhere", errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--members", "1", "--members must be from 2 to 64; was 1.")]
    [InlineData("--mb", "2001", "--mb must be from 1 to 2000; was 2001.")]
    public void BadOptions_NameTheBoundAndTheValue(string option, string value, string message) =>
        Assert.Contains(CommandLine.Parse("bench", "ring", option, value).Errors, error => error.Message == message);
}
