using System.Globalization;
using System.Text.Json.Nodes;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Gateway.Files;
using LlavaCluster.Gateway.Training;

namespace LlavaCluster.Gateway.Http.FineTuning;

/// <summary>OpenAI's objects of fine-tuning, and what this cluster tells beside.</summary>
internal static class JobJson
{
    public static JsonObject Of(TrainingJobInfo job) => new()
    {
        ["id"] = job.Key.Id,
        ["object"] = "fine_tuning.job",
        ["model"] = job.Spec.Model,
        ["created_at"] = job.CreatedAt.ToUnixTimeSeconds(),
        ["finished_at"] = job.FinishedAt?.ToUnixTimeSeconds(),
        ["fine_tuned_model"] = TrainingWords.ModelOf(job),
        ["organization_id"] = job.Key.Tenant.Value,
        ["status"] = TrainingWords.Status(job.Status),
        ["training_file"] = FileId.Of(job.Spec.TrainingFile),
        ["validation_file"] = IdOf(job.Spec.ValidationFile),
        ["result_files"] = new JsonArray(),
        ["trained_tokens"] = job.TrainedTokens,
        ["error"] = job.Status == TrainingJobStatus.Failed ? new JsonObject { ["code"] = "job_failed", ["message"] = job.Reason, ["param"] = null } : null,
        ["seed"] = job.Spec.Options.Seed,
        ["estimated_finish"] = job.EstimatedFinish?.ToUnixTimeSeconds(),
        ["integrations"] = new JsonArray(),
        ["hyperparameters"] = Usual(job.Spec.Options),
        ["method"] = new JsonObject { ["type"] = "supervised", ["supervised"] = new JsonObject { ["hyperparameters"] = Hyperparameters(job.Spec.Options) } },
        ["metadata"] = job.Spec.Metadata is { } metadata ? JsonNode.Parse(metadata) : new JsonObject(),
        ["user_provided_suffix"] = job.Spec.AdapterName == job.Key.Id ? null : job.Spec.AdapterName,
        ["images_file"] = IdOf(job.Spec.Images),
        ["max_trainers"] = job.Spec.MaxTrainers,
        ["traffic_share"] = job.Spec.TrafficShare,
        ["checkpoint_every"] = job.Spec.CheckpointEvery,
        ["started_at"] = job.StartedAt?.ToUnixTimeSeconds(),
        ["step"] = job.Step,
        ["total_steps"] = job.TotalSteps,
        ["device_seconds"] = Finite(job.DeviceSeconds),
        ["trainers"] = new JsonArray([.. job.Trainers.Select(trainer => JsonValue.Create(trainer))]),
        ["reason"] = job.Reason,
        ["result"] = job.Result is { } made ? Result(made) : null,
    };

    public static JsonObject Event(TrainingEvent line)
    {
        var written = new JsonObject
        {
            ["id"] = EventId(line.Sequence),
            ["object"] = "fine_tuning.job.event",
            ["created_at"] = line.At.ToUnixTimeSeconds(),
            ["level"] = line.Kind switch { TrainingEventKind.Warning => "warn", TrainingEventKind.Error => "error", _ => "info" },
            ["message"] = line.Message,
            ["type"] = line.Metrics is null ? "message" : "metrics",
            ["data"] = line.Metrics is { } metrics ? Metrics(metrics) : new JsonObject(),
        };
        return written;
    }

    public static JsonObject Checkpoint(TrainingJobKey job, TrainingCheckpoint checkpoint) => new()
    {
        ["id"] = CheckpointId(checkpoint),
        ["object"] = "fine_tuning.job.checkpoint",
        ["created_at"] = checkpoint.At.ToUnixTimeSeconds(),
        ["fine_tuning_job_id"] = job.Id,
        // A state to go on from, which no request can ask for.
        ["fine_tuned_model_checkpoint"] = null,
        ["step_number"] = checkpoint.Step,
        ["metrics"] = new JsonObject { ["step"] = checkpoint.Step, ["train_loss"] = Finite(checkpoint.Loss) },
        ["bytes"] = checkpoint.Bytes,
    };

    public static string CheckpointId(TrainingCheckpoint checkpoint) => $"ftckpt-{checkpoint.Object.Value}";

    public static string EventId(long sequence) => string.Create(CultureInfo.InvariantCulture, $"ftevent-{sequence}");

    /// <summary>The sequence number of an event's id, or of the number alone; null for what is neither.</summary>
    public static long? Sequence(string id)
    {
        const string Prefix = "ftevent-";
        var digits = id.StartsWith(Prefix, StringComparison.Ordinal) ? id[Prefix.Length..] : id;
        return long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var sequence) ? sequence : null;
    }

    private static string? IdOf(ObjectId? file) => file is { } id ? FileId.Of(id) : null;

    private static JsonObject Usual(TuningOptions options) => new() { ["n_epochs"] = options.Epochs, ["batch_size"] = options.BatchSize, ["learning_rate_multiplier"] = 1.0 };

    private static JsonObject Hyperparameters(TuningOptions options)
    {
        var written = Usual(options);
        written["method"] = TrainingWords.Method(options.Method);
        written["learning_rate"] = options.LearningRate;
        written["projector_learning_rate"] = options.ProjectorLearningRate;
        written["micro_batch"] = options.MicroBatch;
        written["rank"] = options.Rank;
        written["alpha"] = options.Alpha;
        written["dropout"] = options.Dropout;
        written["target_modules"] = new JsonArray([.. options.TargetModules.Select(module => JsonValue.Create(module))]);
        written["rank_pattern"] = new JsonObject(options.RankPattern.Select(entry => KeyValuePair.Create(entry.Modules, (JsonNode?)entry.Rank)));
        written["alpha_pattern"] = new JsonObject(options.AlphaPattern.Select(entry => KeyValuePair.Create(entry.Modules, (JsonNode?)entry.Alpha)));
        written["rank_stabilised"] = options.RankStabilised;
        written["train_projector"] = options.TrainProjector;
        written["max_tokens"] = options.MaxTokens;
        written["warmup"] = options.Warmup;
        written["weight_decay"] = options.WeightDecay;
        written["clip_norm"] = options.ClipNorm ?? 0;
        written["held_out"] = options.HeldOut;
        written["skip_bad_records"] = options.SkipBadRecords;
        written["group_by_length"] = options.GroupByLength;
        written["local_steps"] = options.LocalSteps;
        written["base_weights"] = TrainingWords.Base(options.BaseWeights);
        return written;
    }

    private static JsonObject Metrics(TrainingMetrics metrics) => new()
    {
        ["step"] = metrics.Step,
        ["total_steps"] = metrics.TotalSteps,
        ["train_loss"] = Finite(metrics.Loss),
        ["learning_rate"] = Finite(metrics.LearningRate),
        ["gradient_norm"] = Finite(metrics.GradientNorm),
        ["tokens_per_second"] = Finite(metrics.TokensPerSecond),
        ["epoch"] = Finite(metrics.Epoch),
    };

    private static JsonObject Result(TrainingResult made) => new()
    {
        ["version"] = made.Adapter.Value,
        ["bytes"] = made.Bytes,
        ["base_loss"] = Finite(made.BaseLoss),
        ["adapter_loss"] = Finite(made.AdapterLoss),
    };

    /// <summary>JSON has no word for the numbers that are none.</summary>
    internal static double? Finite(double value) => double.IsFinite(value) ? value : null;
}
