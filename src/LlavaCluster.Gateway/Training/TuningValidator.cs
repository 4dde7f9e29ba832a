using System.Collections.Immutable;
using System.Text.RegularExpressions;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Gateway.Requests;

namespace LlavaCluster.Gateway.Training;

/// <summary>The hyper-parameter half of <see cref="TrainingJobValidator"/>: their bounds, which are those of the methods and not of a server.</summary>
internal static class TuningValidator
{
    private const int MostEpochs = 50;
    private const int MostBatch = 4096;
    private const int MostMicroBatch = 256;
    private const int MostRank = 256;
    private const double MostAlpha = 10_000;
    private const double MostDropout = 0.9;
    private const double MostNorm = 1000;
    private const double MostHeldOut = 0.5;
    private const int MostLocalSteps = 10_000;
    private const int LeastTokens = 16;
    private const int MostModules = 64;
    private const int MostModuleLength = 128;
    private const int MostPatterns = 256;
    private const int MostShown = 40;

    /// <summary>The options with defaults filled in; they mean nothing if a check failed. How long a sample may be the model's context says.</summary>
    public static TuningOptions Validate(RawTuning raw, long? seed, bool hasValidation, FieldChecks checks)
    {
        var usual = new TuningOptions();
        var batch = Whole(raw, "batch_size", raw.BatchSize, 1, MostBatch, checks) ?? usual.BatchSize;
        CheckMultiplier(raw, checks);
        CheckModules(raw, checks);
        return usual with
        {
            Method = Method(raw, checks),
            Epochs = Whole(raw, "n_epochs", raw.Epochs, 1, MostEpochs, checks) ?? usual.Epochs,
            BatchSize = batch,
            MicroBatch = Whole(raw, "micro_batch", raw.MicroBatch, 1, Math.Min(batch, MostMicroBatch), checks) ?? Math.Min(batch, usual.MicroBatch),
            LearningRate = Number(raw, "learning_rate", raw.LearningRate, 0, 1, checks, open: true),
            ProjectorLearningRate = Number(raw, "projector_learning_rate", raw.ProjectorLearningRate, 0, 1, checks, open: true),
            WeightDecay = Number(raw, "weight_decay", raw.WeightDecay, 0, 1, checks) ?? usual.WeightDecay,
            Warmup = Number(raw, "warmup", raw.Warmup, 0, 1, checks) ?? usual.Warmup,
            ClipNorm = Number(raw, "clip_norm", raw.ClipNorm, 0, MostNorm, checks) switch { null => usual.ClipNorm, 0 => null, { } norm => norm },
            MaxTokens = Whole(raw, "max_tokens", raw.MaxTokens, LeastTokens, int.MaxValue, checks),
            Seed = seed is { } given ? checks.Whole("seed", given, 0, int.MaxValue) : usual.Seed,
            GroupByLength = raw.GroupByLength ?? usual.GroupByLength,
            Rank = Whole(raw, "rank", raw.Rank, 1, MostRank, checks) ?? usual.Rank,
            Alpha = Number(raw, "alpha", raw.Alpha, 0, MostAlpha, checks, open: true) ?? usual.Alpha,
            Dropout = Number(raw, "dropout", raw.Dropout, 0, MostDropout, checks) ?? usual.Dropout,
            TargetModules = raw.TargetModules,
            RankStabilised = raw.RankStabilised ?? usual.RankStabilised,
            TrainProjector = raw.TrainProjector ?? usual.TrainProjector,
            HeldOut = HeldOut(raw, hasValidation, checks) ?? (hasValidation ? 0 : usual.HeldOut),
            SkipBadRecords = raw.SkipBadRecords ?? usual.SkipBadRecords,
            LocalSteps = Whole(raw, "local_steps", raw.LocalSteps, 1, MostLocalSteps, checks) ?? usual.LocalSteps,
            BaseWeights = Base(raw, checks),
            RankPattern = Pattern(raw, "rank_pattern", raw.RankPattern, (modules, rank) => new ModuleRank(modules, Whole(raw, $"rank_pattern.{Excerpt.Of(modules, MostShown)}", rank, 1, MostRank, checks)!.Value), checks),
            AlphaPattern = Pattern(raw, "alpha_pattern", raw.AlphaPattern, (modules, alpha) => new ModuleAlpha(modules, Number(raw, $"alpha_pattern.{Excerpt.Of(modules, MostShown)}", alpha, 0, MostAlpha, checks, open: true)!.Value), checks),
        };
    }

    private static TuningMethod Method(RawTuning raw, FieldChecks checks)
    {
        switch (raw.Method)
        {
            case null or "lora":
                return TuningMethod.Lora;
            case "projector":
                if (raw.TrainProjector == false)
                {
                    checks.Fail(raw.Path + "train_projector", "must not be false where the method is projector: nothing would learn.");
                }

                return TuningMethod.Projector;
            default:
                checks.Fail(raw.Path + "method", $"must be lora or projector; was \"{Excerpt.Of(raw.Method, 20)}\".");
                return default;
        }
    }

    private static BaseWeights Base(RawTuning raw, FieldChecks checks)
    {
        switch (raw.BaseWeights)
        {
            case null or "stored":
                return BaseWeights.Stored;
            case "q8":
                return BaseWeights.Q8;
            default:
                checks.Fail(raw.Path + "base_weights", $"must be stored or q8; was \"{Excerpt.Of(raw.BaseWeights, 20)}\".");
                return default;
        }
    }

    private static double? HeldOut(RawTuning raw, bool hasValidation, FieldChecks checks)
    {
        if (hasValidation && raw.HeldOut > 0)
        {
            checks.Fail(raw.Path + "held_out", $"must be 0 or absent beside a validation_file; was {FieldChecks.Show(raw.HeldOut.Value)}.");
        }

        return Number(raw, "held_out", raw.HeldOut, 0, MostHeldOut, checks);
    }

    // OpenAI's rates are its own secret; a factor of an unknown number would say nothing.
    private static void CheckMultiplier(RawTuning raw, FieldChecks checks)
    {
        if (raw.LearningRateMultiplier is { } factor and not 1)
        {
            checks.Fail(raw.Path + "learning_rate_multiplier", $"must be 1 or \"auto\"; was {FieldChecks.Show(factor)}. Name the rate itself: learning_rate.");
        }
    }

    private static void CheckModules(RawTuning raw, FieldChecks checks)
    {
        var field = raw.Path + "target_modules";
        checks.Count(field, raw.TargetModules.Length, MostModules, "names");
        foreach (var module in raw.TargetModules)
        {
            if (module.Length is 0 or > MostModuleLength || !module.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-'))
            {
                checks.Fail(field, $"must hold names of 1 to {MostModuleLength} of a-z, A-Z, 0-9, '_', '.', '-'; held \"{Excerpt.Of(module, MostShown)}\".");
            }
        }
    }

    private static ImmutableArray<TEntry> Pattern<T, TEntry>(RawTuning raw, string name, ImmutableArray<KeyValuePair<string, T>> entries, Func<string, T, TEntry> entry, FieldChecks checks)
    {
        var field = raw.Path + name;
        checks.Count(field, entries.Length, MostPatterns, "patterns");
        if (entries.GroupBy(given => given.Key).FirstOrDefault(same => same.Count() > 1) is { } twice)
        {
            checks.Fail(field, $"must have each pattern once; had \"{Excerpt.Of(twice.Key, MostShown)}\" {twice.Count()} times.");
        }

        foreach (var (modules, _) in checks.Failure is null ? entries : [])
        {
            if (modules.Length is 0 or > MostModuleLength || !IsExpression(modules))
            {
                checks.Fail(field, $"must have regular expressions of 1 to {MostModuleLength} characters, without look-around and back-references, as its names; had \"{Excerpt.Of(modules, MostShown)}\".");
            }
        }

        return [.. entries.Select(given => entry(given.Key, given.Value))];
    }

    // As the trainer reads it: for the end of a module's name, in time linear in the name. What has too many states for that is refused by the runtime.
    private static bool IsExpression(string text)
    {
        try
        {
            _ = new Regex($@"^(?:.*\.)?(?:{text})$", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
            return true;
        }
        catch (Exception exception) when (exception is ArgumentException or NotSupportedException)
        {
            return false;
        }
    }

    private static int? Whole(RawTuning raw, string name, long? value, int least, int most, FieldChecks checks) =>
        value is { } given ? checks.Whole(raw.Path + name, given, least, most) : null;

    private static double? Number(RawTuning raw, string name, double? value, double least, double most, FieldChecks checks, bool open = false) =>
        value is { } given ? checks.Range(raw.Path + name, given, least, most, open) : null;
}
