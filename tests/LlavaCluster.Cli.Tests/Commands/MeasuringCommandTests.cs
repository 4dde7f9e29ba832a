using System.Globalization;
using LlavaCluster.Cli.Serving;

namespace LlavaCluster.Cli.Tests.Commands;

/// <summary><c>llava bench device</c> and <c>llava models weights</c> on the shipped model.</summary>
public sealed class MeasuringCommandTests
{
    private static readonly string Words = string.Join(' ', Enumerable.Repeat("There are two objects in the picture. At the top left is a dog. At the bottom is a cat.", 40));

    [Theory]
    [InlineData("bf16", "0.009 GB")]
    [InlineData("q4", "0.002 GB")]
    public async Task Device_PrintsARowForEveryFigure(string weights, string bytes)
    {
        var (code, printed, errors) = await RunAsync("bench", "device", "--model", ServeOptions.ShippedModel, "--weights", weights, "--batch", "1", "3", "--context", "20", "--prompt", "40", "--rounds", "1");

        Assert.Equal((0, ""), (code, errors));
        Assert.Contains($"{bytes} of weights a step", printed, StringComparison.Ordinal);
        Assert.All(["decode, 1 at once, context 20", "decode, 3 at once, context 20", "prefill, 40 tokens", "encode one picture"], row => Assert.True(Number(printed, row) > 0, printed));
    }

    [Fact]
    public async Task Device_OfMoreContextThanPositions_NamesTheBound()
    {
        var (code, _, errors) = await RunAsync("bench", "device", "--model", ServeOptions.ShippedModel, "--context", "2030");

        Assert.Equal(1, code);
        Assert.Contains("--context must be <= 2024 and --prompt <= 2048 for this model; were 2030 and 512.", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Weights_OfTheModelsOwnKindOfText_LoseLittleWith8BitsAndMoreWith4()
    {
        var text = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(text, Words, TestContext.Current.CancellationToken);
            var (code, printed, errors) = await RunAsync("models", "weights", ServeOptions.ShippedModel, "--text", text);

            Assert.Equal((0, ""), (code, errors));
            var rows = printed.Split('\n').Where(line => line.StartsWith("| ", StringComparison.Ordinal)).Skip(1).Select(line => line.Split('|', StringSplitOptions.TrimEntries)).ToDictionary(cells => cells[1]);
            Assert.Equal(["Float32", "BFloat16", "Q8", "Q4"], rows.Keys);
            Assert.Equal(("1.0000", "0.00000"), (rows["Float32"][5], rows["Float32"][6]));
            Assert.InRange(Number(rows["Q8"][5]), 0.97, 1);
            Assert.True(Number(rows["Q8"][6]) < Number(rows["Q4"][6]), printed);
        }
        finally
        {
            File.Delete(text);
        }
    }

    [Fact]
    public async Task Quantize_MakesAFolderThatIsMeasuredAsAnyOther()
    {
        var folder = Directory.CreateTempSubdirectory("llava-packed-").FullName;
        try
        {
            var (code, printed, errors) = await RunAsync("models", "quantize", ServeOptions.ShippedModel, "--weights", "q4", "--out", folder);
            Assert.Equal((0, $"Written to {folder}.", ""), (code, printed.Trim(), errors));

            (code, printed, errors) = await RunAsync("bench", "device", "--model", folder, "--batch", "1", "--context", "20", "--prompt", "40", "--rounds", "1");
            Assert.Equal((0, ""), (code, errors));
            Assert.Contains("parameters, Q4, 0.002 GB of weights a step", printed, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task Weights_OfTooShortAText_NamesTheBound()
    {
        var text = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(text, "short", TestContext.Current.CancellationToken);
            var (code, _, errors) = await RunAsync("models", "weights", ServeOptions.ShippedModel, "--text", text);

            Assert.Equal(1, code);
            Assert.Contains("--text and --tokens must give at least 256 tokens; were ", errors, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(text);
        }
    }

    private static Task<(int Code, string Printed, string Errors)> RunAsync(params string[] arguments) => CommandLine.RunAsync(arguments, TestContext.Current.CancellationToken);

    private static double Number(string printed, string row) => Number(printed.Split('\n').Single(line => line.StartsWith($"| {row} |", StringComparison.Ordinal)).Split('|')[2].Trim().Split(' ')[0]);

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
