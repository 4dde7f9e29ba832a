using System.Text.Json;
using Google.Protobuf.WellKnownTypes;
using Llava.V1;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Gateway.Files;
using LlavaCluster.Gateway.Http.FineTuning;
using LlavaCluster.Gateway.Training;
using ProtoCheckpoint = Llava.V1.TrainingCheckpoint;
using ProtoEvent = Llava.V1.TrainingEvent;
using ProtoMetrics = Llava.V1.TrainingMetrics;
using ProtoOptions = Llava.V1.TuningOptions;
using ProtoResult = Llava.V1.TrainingResult;

namespace LlavaCluster.Gateway.Grpc;

/// <summary>Jobs between the public contract and the cluster's records.</summary>
internal static class ProtoTraining
{
    public static RawTrainingJob Read(CreateJobRequest request) => new()
    {
        Model = request.Model,
        TrainingFile = request.TrainingFile,
        ValidationFile = request.ValidationFile,
        ImagesFile = request.ImagesFile,
        Suffix = request.Suffix,
        Seed = request.HasSeed ? request.Seed : null,
        MaxTrainers = request.HasMaxTrainers ? request.MaxTrainers : null,
        TrafficShare = request.HasTrafficShare ? request.TrafficShare : null,
        CheckpointEvery = request.HasCheckpointEvery ? request.CheckpointEvery : null,
        Metadata = [.. request.Metadata],
        Tuning = request.Options is { } options ? Read(options) : new RawTuning { Path = "options." },
    };

    public static TrainingJob Job(TrainingJobInfo job)
    {
        var written = new TrainingJob
        {
            Id = job.Key.Id,
            Model = job.Spec.Model,
            TrainingFile = FileId.Of(job.Spec.TrainingFile),
            ValidationFile = IdOf(job.Spec.ValidationFile),
            ImagesFile = IdOf(job.Spec.Images),
            Suffix = job.Spec.AdapterName,
            Status = TrainingWords.Status(job.Status),
            Reason = job.Reason ?? "",
            CreatedAt = Timestamp.FromDateTimeOffset(job.CreatedAt),
            StartedAt = Time(job.StartedAt),
            FinishedAt = Time(job.FinishedAt),
            EstimatedFinish = Time(job.EstimatedFinish),
            Step = job.Step,
            TotalSteps = job.TotalSteps,
            TrainedTokens = job.TrainedTokens,
            DeviceSeconds = job.DeviceSeconds,
            Trainers = { job.Trainers },
            Result = job.Result is { } made ? new ProtoResult { Version = made.Adapter.Value, Bytes = made.Bytes, BaseLoss = made.BaseLoss, AdapterLoss = made.AdapterLoss } : null,
            Options = Options(job.Spec.Options),
            Seed = job.Spec.Options.Seed,
            MaxTrainers = job.Spec.MaxTrainers,
            TrafficShare = job.Spec.TrafficShare,
            FineTunedModel = TrainingWords.ModelOf(job) ?? "",
        };
        if (job.Spec.CheckpointEvery is { } steps)
        {
            written.CheckpointEvery = steps;
        }

        foreach (var (key, value) in job.Spec.Metadata is { } text ? JsonSerializer.Deserialize<Dictionary<string, string>>(text)! : [])
        {
            written.Metadata.Add(key, value);
        }

        return written;
    }

    public static ProtoEvent Event(Abstractions.Training.TrainingEvent line) => new()
    {
        Sequence = line.Sequence,
        CreatedAt = Timestamp.FromDateTimeOffset(line.At),
        Level = line.Kind switch
        {
            TrainingEventKind.Warning => ProtoEvent.Types.Level.Warning,
            TrainingEventKind.Error => ProtoEvent.Types.Level.Error,
            _ => ProtoEvent.Types.Level.Info,
        },
        Message = line.Message,
        Metrics = line.Metrics is { } metrics ? Metrics(metrics) : null,
    };

    public static ProtoCheckpoint Checkpoint(Abstractions.Training.TrainingCheckpoint checkpoint) => new()
    {
        Id = JobJson.CheckpointId(checkpoint), Step = checkpoint.Step, CreatedAt = Timestamp.FromDateTimeOffset(checkpoint.At), Bytes = checkpoint.Bytes, Loss = checkpoint.Loss,
    };

    private static RawTuning Read(ProtoOptions options) => new()
    {
        Path = "options.",
        Method = options.Method.Length > 0 ? options.Method : null,
        Epochs = options.HasNEpochs ? options.NEpochs : null,
        BatchSize = options.HasBatchSize ? options.BatchSize : null,
        MicroBatch = options.HasMicroBatch ? options.MicroBatch : null,
        LearningRate = options.HasLearningRate ? options.LearningRate : null,
        ProjectorLearningRate = options.HasProjectorLearningRate ? options.ProjectorLearningRate : null,
        WeightDecay = options.HasWeightDecay ? options.WeightDecay : null,
        Warmup = options.HasWarmup ? options.Warmup : null,
        ClipNorm = options.HasClipNorm ? options.ClipNorm : null,
        MaxTokens = options.HasMaxTokens ? options.MaxTokens : null,
        GroupByLength = options.GroupByLength,
        Rank = options.HasRank ? options.Rank : null,
        Alpha = options.HasAlpha ? options.Alpha : null,
        Dropout = options.HasDropout ? options.Dropout : null,
        TargetModules = [.. options.TargetModules],
        RankPattern = [.. options.RankPattern.Select(entry => KeyValuePair.Create(entry.Modules, (long)entry.Rank))],
        AlphaPattern = [.. options.AlphaPattern.Select(entry => KeyValuePair.Create(entry.Modules, entry.Alpha))],
        RankStabilised = options.RankStabilised,
        TrainProjector = options.HasTrainProjector ? options.TrainProjector : null,
        HeldOut = options.HasHeldOut ? options.HeldOut : null,
        SkipBadRecords = options.SkipBadRecords,
        LocalSteps = options.HasLocalSteps ? options.LocalSteps : null,
        BaseWeights = options.BaseWeights.Length > 0 ? options.BaseWeights : null,
    };

    private static ProtoOptions Options(Abstractions.Training.TuningOptions options)
    {
        var written = new ProtoOptions
        {
            Method = TrainingWords.Method(options.Method),
            NEpochs = options.Epochs,
            BatchSize = options.BatchSize,
            MicroBatch = options.MicroBatch,
            WeightDecay = options.WeightDecay,
            Warmup = options.Warmup,
            ClipNorm = options.ClipNorm ?? 0,
            GroupByLength = options.GroupByLength,
            Rank = options.Rank,
            Alpha = options.Alpha,
            Dropout = options.Dropout,
            TargetModules = { options.TargetModules },
            RankPattern = { options.RankPattern.Select(entry => new RankPattern { Modules = entry.Modules, Rank = entry.Rank }) },
            AlphaPattern = { options.AlphaPattern.Select(entry => new AlphaPattern { Modules = entry.Modules, Alpha = entry.Alpha }) },
            RankStabilised = options.RankStabilised,
            TrainProjector = options.TrainProjector,
            HeldOut = options.HeldOut,
            SkipBadRecords = options.SkipBadRecords,
            LocalSteps = options.LocalSteps,
            BaseWeights = TrainingWords.Base(options.BaseWeights),
        };
        if (options.LearningRate is { } rate)
        {
            written.LearningRate = rate;
        }

        if (options.ProjectorLearningRate is { } projector)
        {
            written.ProjectorLearningRate = projector;
        }

        if (options.MaxTokens is { } tokens)
        {
            written.MaxTokens = tokens;
        }

        return written;
    }

    private static ProtoMetrics Metrics(Abstractions.Training.TrainingMetrics metrics) => new()
    {
        Step = metrics.Step,
        TotalSteps = metrics.TotalSteps,
        Loss = metrics.Loss,
        LearningRate = metrics.LearningRate,
        GradientNorm = metrics.GradientNorm,
        TokensPerSecond = metrics.TokensPerSecond,
        Epoch = metrics.Epoch,
    };

    private static string IdOf(ObjectId? file) => file is { } id ? FileId.Of(id) : "";

    private static Timestamp? Time(DateTimeOffset? at) => at is { } time ? Timestamp.FromDateTimeOffset(time) : null;
}
