using System.Collections.Immutable;
using System.Text.Json;
using LlavaCluster.Gateway.Training;

namespace LlavaCluster.Gateway.Http.FineTuning;

/// <summary>POST /v1/fine_tuning/jobs: OpenAI's fields, and ours beside them.</summary>
internal static class JobRequest
{
    public static RawTrainingJob Read(JsonField body)
    {
        if (!body.IsObject())
        {
            return new RawTrainingJob();
        }

        return new RawTrainingJob
        {
            Model = body.Text("model"),
            TrainingFile = body.Text("training_file"),
            ValidationFile = body.Text("validation_file"),
            ImagesFile = body.Text("images_file"),
            Suffix = body.Text("suffix"),
            Seed = body.Whole("seed"),
            MaxTrainers = body.Whole("max_trainers"),
            TrafficShare = body.Number("traffic_share"),
            CheckpointEvery = body.Whole("checkpoint_every"),
            Metadata = Metadata(body),
            Tuning = Tuning(body),
        };
    }

    /// <summary>Under <c>method.supervised.hyperparameters</c>, or where older clients have them: <c>hyperparameters</c>.</summary>
    private static RawTuning Tuning(JsonField body)
    {
        if (!body.TryObject("method", out var method))
        {
            return body.TryObject("hyperparameters", out var old) ? Tuning(old, "hyperparameters.") : new RawTuning { Path = "hyperparameters." };
        }

        if (method.Text("type") is var type and not (null or "supervised"))
        {
            method.Fail("type", $"must be supervised; was \"{Requests.Excerpt.Of(type, 20)}\".");
        }

        const string path = "method.supervised.hyperparameters.";
        return method.TryObject("supervised", out var supervised) && supervised.TryObject("hyperparameters", out var fields) ? Tuning(fields, path) : new RawTuning { Path = path };
    }

    private static RawTuning Tuning(JsonField fields, string path) => new()
    {
        Path = path,
        Method = fields.Text("method"),
        Epochs = IsAuto(fields, "n_epochs") ? null : fields.Whole("n_epochs"),
        BatchSize = IsAuto(fields, "batch_size") ? null : fields.Whole("batch_size"),
        LearningRateMultiplier = IsAuto(fields, "learning_rate_multiplier") ? null : fields.Number("learning_rate_multiplier"),
        LearningRate = fields.Number("learning_rate"),
        ProjectorLearningRate = fields.Number("projector_learning_rate"),
        MicroBatch = fields.Whole("micro_batch"),
        Rank = fields.Whole("rank"),
        Alpha = fields.Number("alpha"),
        Dropout = fields.Number("dropout"),
        TargetModules = Texts(fields, "target_modules"),
        RankPattern = Pattern(fields, "rank_pattern", value => value.AsWhole()),
        AlphaPattern = Pattern(fields, "alpha_pattern", value => value.AsNumber()),
        RankStabilised = fields.Flag("rank_stabilised"),
        TrainProjector = fields.Flag("train_projector"),
        MaxTokens = fields.Whole("max_tokens"),
        Warmup = fields.Number("warmup"),
        WeightDecay = fields.Number("weight_decay"),
        ClipNorm = fields.Number("clip_norm"),
        HeldOut = fields.Number("held_out"),
        SkipBadRecords = fields.Flag("skip_bad_records"),
        GroupByLength = fields.Flag("group_by_length"),
        LocalSteps = fields.Whole("local_steps"),
        BaseWeights = fields.Text("base_weights"),
    };

    private static bool IsAuto(JsonField fields, string name) => fields.TryGet(name, out var field) && field.Kind == JsonValueKind.String && field.AsText() == "auto";

    private static ImmutableArray<string> Texts(JsonField fields, string name)
    {
        var texts = ImmutableArray.CreateBuilder<string>();
        foreach (var item in fields.Items(name))
        {
            if (item.AsText() is { } text)
            {
                texts.Add(text);
            }
        }

        return texts.ToImmutable();
    }

    private static ImmutableArray<KeyValuePair<string, T>> Pattern<T>(JsonField fields, string name, Func<JsonField, T?> read)
        where T : struct => fields.TryObject(name, out var entries)
            ? [.. from entry in entries.Properties() let value = read(entry.Value) where value is not null select KeyValuePair.Create(entry.Name, value.Value)]
            : [];

    private static ImmutableArray<KeyValuePair<string, string>> Metadata(JsonField body)
    {
        if (!body.TryObject("metadata", out var pairs))
        {
            return [];
        }

        var read = ImmutableArray.CreateBuilder<KeyValuePair<string, string>>();
        foreach (var (name, value) in pairs.Properties())
        {
            if (value.AsText() is { } text)
            {
                read.Add(new(name, text));
            }
        }

        return read.ToImmutable();
    }
}
