using LlavaCluster.Abstractions.Training;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Worker.Serving;
using LlavaCluster.Worker.Training;
using Method = LlavaCluster.Training.Tuning.TuningMethod;

namespace LlavaCluster.Worker.Tests.Training;

public sealed class RecipesTests
{
    [Fact]
    public void Of_OptionsThatAreNotNamed_AreThePublishedOnes()
    {
        var lora = Recipes.Of(new TuningOptions(), Model(), hasValidation: false);
        var projector = Recipes.Of(new TuningOptions { Method = TuningMethod.Projector }, Model(), hasValidation: false);

        Assert.Equal((Method.Lora, 2e-4, 2e-5, 2048), (lora.Method, lora.LearningRate, lora.ProjectorLearningRate!.Value, lora.MaxTokens));
        Assert.Equal((Method.Projector, 1e-3, null, null), (projector.Method, projector.LearningRate, projector.ProjectorLearningRate, projector.Lora));
        Assert.Empty(lora.Faults());
        Assert.Empty(projector.Faults());
    }

    [Fact]
    public void Of_WhatIsNamed_KeepsIt()
    {
        var recipe = Recipes.Of(
            new TuningOptions { Rank = 4, Alpha = 9, RankStabilised = true, Dropout = 0.1, TrainProjector = false, BatchSize = 6, Epochs = 2, Seed = 5, MaxTokens = 99, HeldOut = 0.3, GroupByLength = true, RankPattern = [new("q_proj", 8), new("k_proj", 2), new("layers.0.*", 3)], AlphaPattern = [new("v_proj", 1.5)], BaseWeights = BaseWeights.Q8 },
            Model(),
            hasValidation: false);

        Assert.Equal((4, 9.0, true, 0.1, false), (recipe.Lora!.Rank, recipe.Lora.Alpha, recipe.Lora.RsLora, recipe.Lora.Dropout, recipe.Lora.TrainProjector));
        Assert.Equal([new("q_proj", 8), new("k_proj", 2), new("layers.0.*", 3)], recipe.Lora.RankPattern); // in their order
        Assert.Equal([new("v_proj", 1.5)], recipe.Lora.AlphaPattern);
        Assert.Equal(LlavaCluster.Training.Tuning.BaseWeights.Q8, recipe.BaseWeights);
        Assert.Equal((6, 2, 5, 99, 0.3, true, "bare"), (recipe.GlobalBatch, recipe.Epochs, recipe.Seed, recipe.MaxTokens, recipe.HeldOutShare, recipe.GroupByLength, recipe.Template));
    }

    [Fact]
    public void Of_AJobWithAValidationFile_HoldsNothingOut() => Assert.Equal(0, Recipes.Of(new TuningOptions { HeldOut = 0.3 }, Model(), hasValidation: true).HeldOutShare);

    [Theory]
    [InlineData(499_999_999, false)]
    [InlineData(500_000_000, true)]
    public void Of_ALargeModel_SavesMemory(long parameters, bool saves)
    {
        var recipe = Recipes.Of(new TuningOptions(), Model(parameters), hasValidation: false);

        Assert.Equal((saves, saves), (recipe.BFloat16, recipe.GradientCheckpointing));
    }

    [Theory]
    [InlineData("all-linear")]
    [InlineData("q_proj", "q_proj")]
    [InlineData("q_proj, v_proj", "q_proj", "v_proj")]
    [InlineData(@".*\.(q|v)_proj", @".*\.(q|v)_proj")]
    public void Of_TargetModules_AreNamesOrOneExpression(string expected, params string[] modules)
    {
        var targets = Recipes.Of(new TuningOptions { TargetModules = [.. modules] }, Model(), hasValidation: false).Lora!.TargetModules;

        Assert.Contains(expected.Split(", ")[0], targets.ToString(), StringComparison.Ordinal);
        Assert.Equal(modules.Length > 1, targets.ToString().Contains(','));
    }

    private static TrainableModel Model(long parameters = 1_000_000) =>
        new(new ModelCard { Name = "m", ContextLength = 2048, VocabSize = 100, MaxImageTokens = 64, CreatedAt = default, Parameters = parameters }, "bare");
}
