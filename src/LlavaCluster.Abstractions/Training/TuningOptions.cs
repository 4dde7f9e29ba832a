using System.Collections.Immutable;

namespace LlavaCluster.Abstractions.Training;

/// <summary>How a job trains. The gateway checks every bound; null leaves a choice to the method's published hyper-parameters.</summary>
[GenerateSerializer, Immutable, Alias("llava.tuning-options")]
public sealed record TuningOptions
{
    [Id(0)]
    public TuningMethod Method { get; init; } = TuningMethod.Lora;

    [Id(1)]
    public int Epochs { get; init; } = 3;

    /// <summary>Samples of one optimiser step, over all trainers.</summary>
    [Id(2)]
    public int BatchSize { get; init; } = 16;

    /// <summary>Samples a trainer computes at once; between two such parts it lets requests go first.</summary>
    [Id(3)]
    public int MicroBatch { get; init; } = 4;

    [Id(4)]
    public double? LearningRate { get; init; }

    /// <summary>Of the projector, where it learns beside something else.</summary>
    [Id(5)]
    public double? ProjectorLearningRate { get; init; }

    [Id(6)]
    public double WeightDecay { get; init; }

    /// <summary>Share of the steps over which the rate rises.</summary>
    [Id(7)]
    public double Warmup { get; init; } = 0.03;

    /// <summary>Gradients are scaled down to this norm; null leaves them.</summary>
    [Id(8)]
    public double? ClipNorm { get; init; } = 1;

    /// <summary>Most tokens of a sample, pictures included; null: the model's context.</summary>
    [Id(9)]
    public int? MaxTokens { get; init; }

    [Id(10)]
    public int Seed { get; init; } = 42;

    /// <summary>Batches of samples of like length, with pictures or without.</summary>
    [Id(11)]
    public bool GroupByLength { get; init; }

    [Id(12)]
    public int Rank { get; init; } = 16;

    [Id(13)]
    public double Alpha { get; init; } = 32;

    [Id(14)]
    public double Dropout { get; init; }

    /// <summary>Projections that get factors, by PEFT's rules; empty: every one of the language model.</summary>
    [Id(15)]
    public ImmutableArray<string> TargetModules { get; init; } = [];

    /// <summary>The scale is alpha / sqrt(rank), not alpha / rank.</summary>
    [Id(16)]
    public bool RankStabilised { get; init; }

    /// <summary>With LoRA: the projector learns too, whole.</summary>
    [Id(17)]
    public bool TrainProjector { get; init; } = true;

    /// <summary>Share of the records that are kept out and judge the result; 0 where a validation file is given.</summary>
    [Id(18)]
    public double HeldOut { get; init; } = 0.1;

    /// <summary>A bad record is left out and reported; otherwise it fails the job before it trains.</summary>
    [Id(19)]
    public bool SkipBadRecords { get; init; }

    /// <summary>Trainers exchange parameters once in so many steps (DiLoCo) and not gradients at each; 1: at each.</summary>
    [Id(20)]
    public int LocalSteps { get; init; } = 1;

    /// <summary>Other ranks by module, as PEFT's rank_pattern: the first entry that fits counts.</summary>
    [Id(21)]
    public ImmutableArray<ModuleRank> RankPattern { get; init; } = [];

    /// <summary>Other alphas, likewise.</summary>
    [Id(22)]
    public ImmutableArray<ModuleAlpha> AlphaPattern { get; init; } = [];

    [Id(23)]
    public BaseWeights BaseWeights { get; init; } = BaseWeights.Stored;
}

/// <param name="Modules">A regular expression for the end of a module's name, at a dot.</param>
[GenerateSerializer, Immutable, Alias("llava.module-rank")]
public readonly record struct ModuleRank([property: Id(0)] string Modules, [property: Id(1)] int Rank);

/// <inheritdoc cref="ModuleRank"/>
[GenerateSerializer, Immutable, Alias("llava.module-alpha")]
public readonly record struct ModuleAlpha([property: Id(0)] string Modules, [property: Id(1)] double Alpha);

[GenerateSerializer, Alias("llava.tuning-method")]
public enum TuningMethod
{
    Lora,

    /// <summary>The projector alone: stage 1 of the paper.</summary>
    Projector,
}

/// <summary>How trainers hold the matrices of the base, which do not learn.</summary>
[GenerateSerializer, Alias("llava.base-weights")]
public enum BaseWeights
{
    /// <summary>As the model folder has them.</summary>
    Stored,

    /// <summary>In 8 bits a weight and a scale for every 32.</summary>
    Q8,
}
