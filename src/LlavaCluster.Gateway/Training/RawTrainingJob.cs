using System.Collections.Immutable;

namespace LlavaCluster.Gateway.Training;

/// <summary>A job as a client asks for it, in either protocol, unchecked. Absent is null.</summary>
internal sealed record RawTrainingJob
{
    public string? Model { get; init; }

    /// <summary><c>file-...</c>, as are the other files.</summary>
    public string? TrainingFile { get; init; }

    public string? ValidationFile { get; init; }

    public string? ImagesFile { get; init; }

    /// <summary>The adapter's name; null: the job's id.</summary>
    public string? Suffix { get; init; }

    public long? Seed { get; init; }

    public long? MaxTrainers { get; init; }

    public double? TrafficShare { get; init; }

    public long? CheckpointEvery { get; init; }

    public ImmutableArray<KeyValuePair<string, string>> Metadata { get; init; } = [];

    public RawTuning Tuning { get; init; } = new();
}

/// <summary>Likewise how it trains.</summary>
internal sealed record RawTuning
{
    /// <summary>Where the fields are, with its dot, for messages.</summary>
    public string Path { get; init; } = "";

    public string? Method { get; init; }

    public long? Epochs { get; init; }

    public long? BatchSize { get; init; }

    public double? LearningRateMultiplier { get; init; }

    public double? LearningRate { get; init; }

    public double? ProjectorLearningRate { get; init; }

    public long? MicroBatch { get; init; }

    public long? Rank { get; init; }

    public double? Alpha { get; init; }

    public double? Dropout { get; init; }

    public ImmutableArray<string> TargetModules { get; init; } = [];

    /// <summary>In the client's order, which decides where several fit.</summary>
    public ImmutableArray<KeyValuePair<string, long>> RankPattern { get; init; } = [];

    public ImmutableArray<KeyValuePair<string, double>> AlphaPattern { get; init; } = [];

    public bool? RankStabilised { get; init; }

    public bool? TrainProjector { get; init; }

    public long? MaxTokens { get; init; }

    public double? Warmup { get; init; }

    public double? WeightDecay { get; init; }

    public double? ClipNorm { get; init; }

    public double? HeldOut { get; init; }

    public bool? SkipBadRecords { get; init; }

    public bool? GroupByLength { get; init; }

    public long? LocalSteps { get; init; }

    public string? BaseWeights { get; init; }
}
