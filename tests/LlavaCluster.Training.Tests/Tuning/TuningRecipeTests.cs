using System.Text.Json;
using LlavaCluster.Model.Config;
using LlavaCluster.Training.Tuning;

namespace LlavaCluster.Training.Tests.Tuning;

public sealed class TuningRecipeTests
{
    private static readonly LlavaConfig Config = LlavaConfigReader.Read(TuningData.Model);

    [Fact]
    public void Parse_OfWhatToJsonWrites_GivesTheSameRecipe()
    {
        Assert.All(TuningPresets.All.Values.Append(Lora(new LoraRecipe
        {
            TargetModules = ModulePattern.Names("q_proj", "v_proj"), ExcludeModules = ModulePattern.Expression(@".*\.0\..*"), RankPattern = new Dictionary<string, int> { ["v_proj"] = 2 },
        })), recipe => Assert.Equal(recipe.ToJson(), TuningRecipe.Parse(recipe.ToJson()).ToJson()));
    }

    [Fact]
    public void Identity_IsOfTheFieldsThatAreNotAtTheirDefault()
    {
        Assert.Equal(Sha256("recipe/2\nmethod=\"projector\"\n"), RecipeIdentity.Of(new TuningRecipe { Method = TuningMethod.Projector, Epochs = 1, Seed = 42, MicroBatch = 4 }));
        Assert.Equal(
            Sha256("recipe/2\nbf16=true\nclip_norm=1\nlora.rank=8\nlora.rank_pattern={\"b\":1,\"a\":2}\nmethod=\"lora\"\n"),
            RecipeIdentity.Of(Lora(new LoraRecipe { Rank = 8, Alpha = 16, RankPattern = new Dictionary<string, int> { ["b"] = 1, ["a"] = 2 } }) with { BFloat16 = true, ClipNorm = 1 }));

        static string Sha256(string text) => Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(text)));
    }

    [Fact]
    public void Identity_OfEveryPreset_IsItsOwn()
    {
        var recipes = TuningPresets.All.Values.ToList();
        recipes.AddRange([.. recipes.Select(recipe => recipe with { Seed = 1 }), .. recipes.Select(recipe => recipe with { HeldOutCount = 0 })]);

        Assert.Equal(recipes.Count, recipes.Select(RecipeIdentity.Of).Distinct().Count());
    }

    [Fact]
    public void Parse_ReadsTheNamesOfItsFields()
    {
        var recipe = TuningRecipe.Parse("""{"method":"lora","lora":{"rank":8,"target_modules":["q_proj"],"train_projector":false},"global_batch":4,"bf16":true,"clip_norm":1,"base_weights":"q8"}""");

        Assert.Equal((TuningMethod.Lora, 8, 4, true, 1.0, BaseWeights.Q8), (recipe.Method, recipe.Lora!.Rank, recipe.GlobalBatch, recipe.BFloat16, recipe.ClipNorm, recipe.BaseWeights));
        Assert.Equal("q_proj", recipe.Lora.TargetModules.ToString());
    }

    [Theory]
    [InlineData("""{"method":"full","lerning_rate":1}""")]
    [InlineData("""{"method":"other"}""")]
    [InlineData("""{"epochs":1}""")]
    [InlineData("""{"method":"lora","lora":{"target_modules":"(?=x)"}}""")]
    [InlineData("null")]
    public void Parse_OfWhatIsNoRecipe_IsRefused(string json) => Assert.Throws<JsonException>(() => TuningRecipe.Parse(json));

    [Fact]
    public void Faults_NameEveryBadFieldWithBoundAndValue()
    {
        var recipe = Lora(new LoraRecipe { Rank = 0, Alpha = -1, Dropout = 1, RankPattern = new Dictionary<string, int> { ["(?=x)"] = 1 } }) with
        {
            Epochs = 0, GlobalBatch = 0, MicroBatch = -1, LearningRate = double.NaN, ProjectorLearningRate = 2, WeightDecay = -1, WarmupRatio = 1.5, ClipNorm = 0, MaxTokens = 1, Seed = -1, Template = "none", QuestionFirst = 2, HeldOutShare = 0.6, HeldOutCount = -1,
        };

        var faults = recipe.Faults();

        Assert.Contains("epochs must be between 1 and 1000; was 0.", faults);
        Assert.Contains("learning_rate must be greater than 0 and at most 1; was NaN.", faults);
        Assert.Contains("held_out_share must be between 0 and 0.5; was 0.6.", faults);
        Assert.Equal(
            ["epochs", "global_batch", "micro_batch", "max_tokens", "seed", "learning_rate", "projector_learning_rate", "clip_norm", "weight_decay", "warmup_ratio", "question_first", "held_out_share", "held_out_count", "template", "lora.rank", "lora.alpha", "lora.dropout", "lora.rank_pattern"],
            faults.Select(fault => fault.Split(' ')[0]));
        Assert.Equal(["base_weights must be stored where the method is full, which trains them; was q8."], new TuningRecipe { Method = TuningMethod.Full, BaseWeights = BaseWeights.Q8 }.Faults());
        var refused = Assert.Throws<ArgumentException>(() => TuningRecipe.Parse("""{"method":"full","epochs":0,"micro_batch":0}"""));
        Assert.Equal("epochs must be between 1 and 1000; was 0. micro_batch must be between 1 and 65536; was 0.", refused.Message);
    }

    [Theory]
    [InlineData("llava-v1-stage1", TuningMethod.Projector, 2e-3, 128, 1)]
    [InlineData("llava-v1-stage2", TuningMethod.Full, 2e-5, 32, 3)]
    [InlineData("llava-v1-scienceqa", TuningMethod.Full, 2e-5, 32, 12)]
    [InlineData("llava-v1.5-stage1", TuningMethod.Projector, 1e-3, 256, 1)]
    [InlineData("llava-v1.5-stage2", TuningMethod.Full, 2e-5, 128, 1)]
    [InlineData("llava-v1.5-lora", TuningMethod.Lora, 2e-4, 128, 1)]
    public void Presets_HaveThePublishedNumbers(string name, TuningMethod method, double rate, int batch, int epochs)
    {
        var recipe = TuningPresets.Find(name)!;

        Assert.Empty(recipe.Faults());
        Assert.Equal((method, rate, batch, epochs, 0.03, 0.0), (recipe.Method, recipe.LearningRate, recipe.GlobalBatch, recipe.Epochs, recipe.WarmupRatio, recipe.WeightDecay));
    }

    [Fact]
    public void Of_AListOfEnds_NeverReachesTheTower()
    {
        var targets = LoraTargets.Of(Config, new LoraRecipe { TargetModules = ModulePattern.Names("q_proj", "v_proj") });

        Assert.Equal(6, targets.Count);
        Assert.All(targets, target => Assert.StartsWith("language_model.layers.", target.Module, StringComparison.Ordinal));
    }

    [Fact]
    public void Of_AllLinear_IsEveryProjectionButTheHead() =>
        Assert.Equal(
            Enumerable.Range(0, 3).SelectMany(layer => new[] { "mlp.down_proj", "mlp.gate_proj", "mlp.up_proj", "self_attn.k_proj", "self_attn.o_proj", "self_attn.q_proj", "self_attn.v_proj" }.Select(name => $"language_model.layers.{layer}.{name}")),
            LoraTargets.Of(Config, new LoraRecipe()).Select(target => target.Module).Order(StringComparer.Ordinal));

    [Theory]
    [InlineData(@"model\.language_model\.layers\.1\..*_proj", 7)]
    [InlineData(@"language_model\.model\.layers\.1\..*_proj", 7)]
    [InlineData(@".*\.q_proj", 3)]
    [InlineData("lm_head", 1)]
    public void Of_ARegularExpression_TakesTheNamesOfEitherGeneration(string expression, int expected) =>
        Assert.Equal(expected, LoraTargets.Of(Config, new LoraRecipe { TargetModules = ModulePattern.Expression(expression) }).Count);

    [Fact]
    public void Of_ExcludedModulesAndPatterns_GivesRanksAndScales()
    {
        var targets = LoraTargets.Of(Config, new LoraRecipe
        {
            Rank = 16, Alpha = 8, RsLora = true, TargetModules = ModulePattern.Names("q_proj", "o_proj"), ExcludeModules = ModulePattern.Names("layers.0.self_attn.q_proj"),
            RankPattern = new Dictionary<string, int> { [@"layers\.2\..*"] = 4 }, AlphaPattern = new Dictionary<string, double> { ["o_proj"] = 12 },
        }).ToDictionary(target => target.Module);

        Assert.Equal(5, targets.Count);
        Assert.Equal((16, 2.0), (targets["language_model.layers.1.self_attn.q_proj"].Rank, targets["language_model.layers.1.self_attn.q_proj"].Scale));
        Assert.Equal((4, 6.0), (targets["language_model.layers.2.self_attn.o_proj"].Rank, targets["language_model.layers.2.self_attn.o_proj"].Scale));
    }

    [Theory]
    [InlineData("fc1")]
    [InlineData("linear_1")]
    [InlineData("q")]
    public void Of_NamesOfFrozenPartsOrOfNothing_SaysThatNoneIsLeft(string name) =>
        Assert.Contains($"\"{name}\" fits none", Assert.Throws<ArgumentException>(() => LoraTargets.Of(Config, new LoraRecipe { TargetModules = ModulePattern.Names(name) })).Message, StringComparison.Ordinal);

    private static TuningRecipe Lora(LoraRecipe lora) => new() { Method = TuningMethod.Lora, Lora = lora };
}
