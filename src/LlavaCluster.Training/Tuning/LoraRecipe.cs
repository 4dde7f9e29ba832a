namespace LlavaCluster.Training.Tuning;

/// <summary>A LoRA adapter to be trained, in PEFT's words (peft, src/peft/tuners/lora/config.py). Scales are alpha / rank, or alpha / sqrt(rank) with <see cref="RsLora"/>.</summary>
public sealed record LoraRecipe
{
    /// <summary>Default: 64, LLaVA's.</summary>
    public int Rank { get; init; } = 64;

    /// <summary>Default: 16, LLaVA's.</summary>
    public double Alpha { get; init; } = 16;

    public bool RsLora { get; init; }

    /// <summary>Other ranks by a regular expression for the end of a module's name, at a dot; the first that fits counts.</summary>
    public IReadOnlyDictionary<string, int> RankPattern { get; init; } = new Dictionary<string, int>();

    /// <summary>Other alphas, likewise.</summary>
    public IReadOnlyDictionary<string, double> AlphaPattern { get; init; } = new Dictionary<string, double>();

    /// <summary>Share of the adapter's inputs that each step leaves out. It follows from seed, step and sample, so it is the same after an interruption and for any number of participants. Default: 0.</summary>
    public double Dropout { get; init; }

    /// <summary>Which projections of the language model are adapted. Default: all but the head.</summary>
    public ModulePattern TargetModules { get; init; } = ModulePattern.AllLinear;

    /// <summary>Which of those are not; null (default) for none.</summary>
    public ModulePattern? ExcludeModules { get; init; }

    /// <summary>Whether the projector is trained too, whole, at its own rate. Default: true, as LLaVA has it.</summary>
    public bool TrainProjector { get; init; } = true;
}
