namespace LlavaCluster.Training.Tuning;

/// <summary>
/// The recipes that LLaVA was published with, by name. Sources: haotian-liu/LLaVA, scripts/v1_5 and the scripts of its first release; Visual Instruction Tuning, appendix C.
/// Micro-batches are theirs for a GPU of 80 GB.
/// </summary>
public static class TuningPresets
{
    private static readonly TuningRecipe Projector = new() { Method = TuningMethod.Projector, BFloat16 = true, GradientCheckpointing = true };
    private static readonly TuningRecipe Full = Projector with { Method = TuningMethod.Full, Template = "vicuna_v1" };

    /// <summary>By name, in the order of the papers.</summary>
    public static IReadOnlyDictionary<string, TuningRecipe> All { get; } = new Dictionary<string, TuningRecipe>(StringComparer.Ordinal)
    {
        // In v1's data the picture stands before or after the question, half and half (section 4.2).
        ["llava-v1-stage1"] = Projector with { Template = "plain", LearningRate = 2e-3, GlobalBatch = 128, MicroBatch = 16 },
        ["llava-v1-stage2"] = Full with { LearningRate = 2e-5, GlobalBatch = 32, Epochs = 3, MicroBatch = 4, QuestionFirst = 0.5 },
        ["llava-v1-scienceqa"] = Full with { LearningRate = 2e-5, GlobalBatch = 32, Epochs = 12, MicroBatch = 4 },
        ["llava-v1.5-stage1"] = Projector with { Template = "plain", LearningRate = 1e-3, GlobalBatch = 256, MicroBatch = 32 },
        ["llava-v1.5-stage2"] = Full with { LearningRate = 2e-5, GlobalBatch = 128, MicroBatch = 16, GroupByLength = true },
        ["llava-v1.5-lora"] = Full with
        {
            Method = TuningMethod.Lora, Lora = new LoraRecipe { Rank = 128, Alpha = 256, Dropout = 0.05 }, LearningRate = 2e-4, ProjectorLearningRate = 2e-5, GlobalBatch = 128, MicroBatch = 16, GroupByLength = true,
        },
    };

    /// <summary>The recipe of that name, or null.</summary>
    public static TuningRecipe? Find(string name) => All.GetValueOrDefault(name);
}
