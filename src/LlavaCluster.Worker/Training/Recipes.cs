using LlavaCluster.Abstractions.Training;
using LlavaCluster.Training.Tuning;
using LlavaCluster.Worker.Serving;
using Method = LlavaCluster.Training.Tuning.TuningMethod;

namespace LlavaCluster.Worker.Training;

/// <summary>A job's options in the trainer's words.</summary>
internal static class Recipes
{
    // LLaVA-1.5's: scripts/v1_5/finetune_lora.sh and pretrain.sh.
    private const double LoraRate = 2e-4, LoraProjectorRate = 2e-5, ProjectorRate = 1e-3;

    /// <summary>From here on a copy of the base in float32, and what each layer keeps for its gradient, would crowd out the engine; LLaVA's recipe has both in any size.</summary>
    private const long Large = 500_000_000;

    public static TuningRecipe Of(TuningOptions options, TrainableModel model, bool hasValidation)
    {
        var lora = options.Method == Abstractions.Training.TuningMethod.Lora;
        return new TuningRecipe
        {
            Method = lora ? Method.Lora : Method.Projector,
            Lora = lora ? Lora(options) : null,
            Epochs = options.Epochs,
            GlobalBatch = options.BatchSize,
            MicroBatch = options.MicroBatch,
            LearningRate = options.LearningRate ?? (lora ? LoraRate : ProjectorRate),
            ProjectorLearningRate = options.ProjectorLearningRate ?? (lora ? LoraProjectorRate : null),
            WeightDecay = options.WeightDecay,
            WarmupRatio = options.Warmup,
            ClipNorm = options.ClipNorm,
            MaxTokens = Math.Min(options.MaxTokens ?? model.Card.ContextLength, model.Card.ContextLength),
            Seed = options.Seed,
            GroupByLength = options.GroupByLength,
            Template = model.Template,
            BFloat16 = model.Card.Parameters >= Large,
            GradientCheckpointing = model.Card.Parameters >= Large,
            BaseWeights = options.BaseWeights == Abstractions.Training.BaseWeights.Q8 ? LlavaCluster.Training.Tuning.BaseWeights.Q8 : LlavaCluster.Training.Tuning.BaseWeights.Stored,
            HeldOutShare = hasValidation ? 0 : options.HeldOut,
        };
    }

    private static LoraRecipe Lora(TuningOptions options) => new()
    {
        Rank = options.Rank,
        Alpha = options.Alpha,
        RsLora = options.RankStabilised,
        RankPattern = new OrderedDictionary<string, int>(options.RankPattern.Select(entry => KeyValuePair.Create(entry.Modules, entry.Rank))),
        AlphaPattern = new OrderedDictionary<string, double>(options.AlphaPattern.Select(entry => KeyValuePair.Create(entry.Modules, entry.Alpha))),
        Dropout = options.Dropout,
        TrainProjector = options.TrainProjector,
        TargetModules = options.TargetModules switch
        {
            [] => ModulePattern.AllLinear,
            [var one] when one.AsSpan().IndexOfAny("-()[]*+?|\\^$") >= 0 => ModulePattern.Expression(one),
            var names => ModulePattern.Names(names),
        },
    };
}
