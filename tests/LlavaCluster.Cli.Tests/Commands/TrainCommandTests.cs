using System.Text.Json;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Weights;
using LlavaCluster.TestSupport;
using LlavaCluster.Training.Tuning;

namespace LlavaCluster.Cli.Tests.Commands;

/// <summary><c>llava train --model</c> on the fixture's model.</summary>
public sealed class TrainCommandTests : IDisposable
{
    private static readonly string Model = Goldens.Path("a_llava15");
    private readonly string _folder = Directory.CreateTempSubdirectory("llava-train-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Train_OfAnAdapter_LowersTheHeldOutLossAndWritesAdapterAndPlot()
    {
        var (adapter, plot) = (Path.Combine(_folder, "adapter"), Path.Combine(_folder, "losses.svg"));

        var (code, printed, errors) = await RunAsync(Write(24), "--out", adapter, "--plot", plot, "--epochs", "4", "--batch", "8", "--learning-rate", "0.01", "--held-out", "0.2", "--rank", "4", "--template", "bare");

        Assert.True(code == 0, errors);
        Assert.Contains("12 steps of 8 samples", printed, StringComparison.Ordinal);
        var losses = printed.Split("Held-out loss ")[1].Split(' ');
        Assert.True(double.Parse(losses[2]) < double.Parse(losses[0]), printed);
        using var read = LoraAdapterReader.Read(adapter, LlavaConfigReader.Read(Model));
        Assert.Equal(21, read.Modules.Count);
        Assert.Contains("<svg", File.ReadAllText(plot), StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(adapter + "-work", LocalTuning.StepFile)));
    }

    [Fact]
    public async Task Train_OnBadRecords_NamesThemAndTrainsNothing()
    {
        var (code, _, errors) = await RunAsync(Write(3, new { id = "odd", conversations = Array.Empty<object>() }), "--out", Path.Combine(_folder, "none"));

        Assert.Equal(1, code);
        Assert.Contains("record 3 (odd): a conversation must have a question", errors, StringComparison.Ordinal);
        Assert.Contains("1 of 4 records are bad: 1 WrongTurnOrder. Give --skip-bad to leave them out.", errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(_folder, "none")));
    }

    [Fact]
    public async Task ShowRecipe_PrintsThePresetWithWhatIsChanged()
    {
        var (code, printed, _) = await CommandLine.RunAsync(["train", "--preset", "llava-v1.5-lora", "--rank", "8", "--show-recipe", "--out", "none"], TestContext.Current.CancellationToken);

        Assert.Equal(0, code);
        Assert.Equal((8, 256.0, 2e-4), TuningRecipe.Parse(printed) is { Lora: { } lora } recipe ? (lora.Rank, lora.Alpha, recipe.LearningRate) : default);
    }

    [Theory]
    [InlineData("--epochs", "0", "epochs must be between 1 and 1000; was 0.")]
    [InlineData("--target-modules", "/(?=x)/", "must be a list of names")]
    [InlineData("--images", "nowhere", "must be a folder or a zip archive")]
    public async Task Train_WithABadOption_NamesIt(string option, string value, string expected)
    {
        var (code, _, errors) = await RunAsync(Write(3), "--out", Path.Combine(_folder, "none"), option, value);

        Assert.Equal(1, code);
        Assert.Contains(expected, errors, StringComparison.Ordinal);
    }

    private Task<(int Code, string Printed, string Errors)> RunAsync(string data, params string[] more) =>
        CommandLine.RunAsync(["train", "--model", Model, "--data", data, .. more.Contains("--images") ? [] : new[] { "--images", Goldens.Path("images") }, "--threads", "1", .. more], TestContext.Current.CancellationToken);

    private string Write(int count, params object[] more)
    {
        var file = Path.Combine(_folder, "data.json");
        var records = Enumerable.Range(0, count).Select(i => new
        {
            id = $"r{i}",
            image = i % 2 == 0 ? "gray.png" : null,
            conversations = new object[] { new { from = "human", value = i % 2 == 0 ? $"What is it?\n<image>" : $"Say {i}." }, new { from = "gpt", value = "A small box." } },
        });
        File.WriteAllText(file, JsonSerializer.Serialize(records.Cast<object>().Concat(more)));
        return file;
    }
}
