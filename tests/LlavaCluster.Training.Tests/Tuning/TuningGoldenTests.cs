using LlavaCluster.Model.Config;
using LlavaCluster.Model.Weights;
using LlavaCluster.TestSupport;
using LlavaCluster.Training.Tests.Training;
using LlavaCluster.Training.Tuning;

namespace LlavaCluster.Training.Tests.Tuning;

/// <summary>The fixture's losses and gradients (tests/goldens/README.md) through the stepping API: from a data file and a picture to the third step.</summary>
public sealed class TuningGoldenTests : IDisposable
{
    private const double Tolerance = 1e-4;
    private readonly TrainingGolden _golden = new();
    private readonly TuningData _data = new();

    public void Dispose() => _data.Dispose();

    [Theory]
    [InlineData("projector_only", false)]
    [InlineData("projector_only", true)]
    [InlineData("full_lm", false)]
    [InlineData("full_lm", true)]
    [InlineData("lora_only", false)]
    [InlineData("lora_only", true)]
    public void Steps_OverTheGoldenSample_GiveTheReferencesLosses(string setting, bool checkpointing)
    {
        var recipe = Recipe(setting) with { GradientCheckpointing = checkpointing };
        using var data = _data.Open(recipe, [TuningData.Golden]);
        using var run = new TuningRun(TuningData.Model, recipe, data, setting == "lora_only" ? Goldens.Path("a_llava15", "adapter") : null);

        var losses = new List<double>();
        for (var step = 0; step <= 3; step++)
        {
            var sum = run.Accumulate(step, 0, 1);
            Assert.Null(sum.Divergence);
            losses.Add(sum.Losses / sum.Terms);
            Assert.Null(run.Apply(sum.Terms).Divergence);
        }

        Assert.All(_golden.Losses(setting).Zip(losses), pair => Assert.Equal(pair.First, pair.Second, Tolerance));
    }

    [Theory]
    [InlineData("projector_only")]
    [InlineData("full_lm")]
    [InlineData("lora_only")]
    public void Accumulate_OfTheGoldenSample_GivesTheReferencesGradientNorm(string setting)
    {
        var recipe = Recipe(setting);
        using var data = _data.Open(recipe, [TuningData.Golden]);
        using var run = new TuningRun(TuningData.Model, recipe, data, setting == "lora_only" ? Goldens.Path("a_llava15", "adapter") : null);

        var sum = run.Accumulate(0, 0, 1);
        var norm = run.Apply(sum.Terms).GradientNorm;

        var expected = Math.Sqrt(_golden.GradientNorms(setting).Values.Sum(each => each * each));
        Assert.Equal(expected, norm, 1e-5 * expected);
    }

    [Fact]
    public void Accumulate_WithCheckpointing_GivesTheSameGradientsBitForBit()
    {
        var recipe = Recipe("full_lm");
        using var data = _data.Open(recipe, TuningData.Records(5));
        using var plain = new TuningRun(TuningData.Model, recipe, data);
        using var recomputed = new TuningRun(TuningData.Model, recipe with { GradientCheckpointing = true }, data);

        plain.Accumulate(0, 0, 1);
        recomputed.Accumulate(0, 0, 1);

        Assert.True(plain.Gradients.ContainsAnyExcept(0f));
        Assert.True(plain.Gradients.SequenceEqual(recomputed.Gradients));
    }

    [Fact]
    public void Export_OfTheGoldenAdapter_IsReadBackAsItWas()
    {
        var recipe = Recipe("lora_only");
        var adapter = Goldens.Path("a_llava15", "adapter");
        using var data = _data.Open(recipe, [TuningData.Golden]);
        using var run = new TuningRun(TuningData.Model, recipe, data, adapter);
        var folder = Path.Combine(_data.Folder, "exported");

        run.Export(folder);

        var config = LlavaConfigReader.Read(TuningData.Model);
        using LoraWeights wanted = LoraAdapterReader.Read(adapter, config), had = LoraAdapterReader.Read(folder, config);
        Assert.Equal(wanted.Modules.Keys.Order(), had.Modules.Keys.Order());
        Assert.All(wanted.Modules, module =>
        {
            var exported = had.Modules[module.Key];
            Assert.Equal(module.Value.A.data<float>().ToArray(), exported.A.data<float>().ToArray());
            Assert.Equal(module.Value.B.data<float>().ToArray(), exported.B.data<float>().ToArray());
            Assert.Equal(module.Value.Scale, exported.Scale);
        });
    }

    // The reference's rate is constant: over thousands of steps the schedule's first four are all but that.
    private static TuningRecipe Recipe(string setting) => new()
    {
        Method = setting switch { "projector_only" => TuningMethod.Projector, "full_lm" => TuningMethod.Full, _ => TuningMethod.Lora },
        Lora = setting == "lora_only" ? new LoraRecipe { Rank = 4, Alpha = 8, TargetModules = ModulePattern.Expression(@".*language_model.*\.(q_proj|v_proj)"), TrainProjector = false } : null,
        Epochs = 1000, GlobalBatch = 8, MicroBatch = 2, LearningRate = 1e-3, WarmupRatio = 0, Template = "bare",
    };
}
