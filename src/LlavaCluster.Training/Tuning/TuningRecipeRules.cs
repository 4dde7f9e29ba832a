using System.Globalization;
using System.Text.RegularExpressions;
using LlavaCluster.Model.Text;

namespace LlavaCluster.Training.Tuning;

/// <summary>The bounds of a recipe's fields, by their names in JSON.</summary>
internal static class TuningRecipeRules
{
    private const int MostEpochs = 1000;
    private const int MostSamples = 1 << 16;
    private const int MostTokens = 1 << 20;
    private const int HighestRank = 4096;
    private const int MostPatterns = 10_000;

    public static IReadOnlyList<string> Check(TuningRecipe recipe)
    {
        var faults = new List<string>();
        Whole("epochs", recipe.Epochs, 1, MostEpochs);
        Whole("global_batch", recipe.GlobalBatch, 1, MostSamples);
        Whole("micro_batch", recipe.MicroBatch, 1, MostSamples);
        Whole("max_tokens", recipe.MaxTokens, 2, MostTokens);
        Whole("seed", recipe.Seed, 0, int.MaxValue);
        Above("learning_rate", recipe.LearningRate, 1);
        Above("projector_learning_rate", recipe.ProjectorLearningRate ?? recipe.LearningRate, 1);
        Above("clip_norm", recipe.ClipNorm ?? 1, double.MaxValue);
        Share("weight_decay", recipe.WeightDecay, 1);
        Share("warmup_ratio", recipe.WarmupRatio, 1);
        Share("question_first", recipe.QuestionFirst, 1);
        Share("held_out_share", recipe.HeldOutShare, 0.5);
        Whole("held_out_count", recipe.HeldOutCount ?? 0, 0, int.MaxValue);
        Must(Enum.IsDefined(recipe.Method), $"method must be one of projector, full and lora; was {(int)recipe.Method}.");
        Must(recipe.Template is null || ConversationTemplate.Find(recipe.Template) is not null, $"template must be one of {string.Join(", ", ConversationTemplate.All.Select(template => template.Name))}; was \"{recipe.Template}\".");
        Must(recipe.Method == TuningMethod.Lora == recipe.Lora is not null, $"lora must be given for the method lora and for no other; the method was {recipe.Method.ToString().ToLowerInvariant()}.");
        Must(Enum.IsDefined(recipe.BaseWeights), $"base_weights must be stored or q8; was {(int)recipe.BaseWeights}.");
        Must(recipe.Method != TuningMethod.Full || recipe.BaseWeights == BaseWeights.Stored, $"base_weights must be stored where the method is full, which trains them; was {recipe.BaseWeights.ToString().ToLowerInvariant()}.");
        if (recipe.Lora is { } lora)
        {
            Whole("lora.rank", lora.Rank, 1, HighestRank);
            Above("lora.alpha", lora.Alpha, 1e6);
            Must(lora.Dropout is >= 0 and < 1, $"lora.dropout must be at least 0 and below 1; was {Text(lora.Dropout)}.");
            Must(lora.RankPattern.Count <= MostPatterns && lora.AlphaPattern.Count <= MostPatterns, $"lora.rank_pattern and lora.alpha_pattern must have at most {MostPatterns} entries; had {lora.RankPattern.Count} and {lora.AlphaPattern.Count}.");
            foreach (var (pattern, rank) in lora.RankPattern)
            {
                Pattern("lora.rank_pattern", pattern);
                Whole($"lora.rank_pattern[\"{pattern}\"]", rank, 1, HighestRank);
            }

            foreach (var (pattern, alpha) in lora.AlphaPattern)
            {
                Pattern("lora.alpha_pattern", pattern);
                Above($"lora.alpha_pattern[\"{pattern}\"]", alpha, 1e6);
            }
        }

        return faults;

        void Must(bool holds, string fault)
        {
            if (!holds)
            {
                faults.Add(fault);
            }
        }

        void Whole(string field, int value, int least, int most) => Must(value >= least && value <= most, $"{field} must be between {least} and {most}; was {value}.");

        void Above(string field, double value, double most) => Must(value > 0 && value <= most, $"{field} must be greater than 0 and at most {Text(most)}; was {Text(value)}.");

        void Share(string field, double value, double most) => Must(value >= 0 && value <= most, $"{field} must be between 0 and {Text(most)}; was {Text(value)}.");

        void Pattern(string field, string pattern) => Must(Parses(pattern), $"{field} must have regular expressions without look-around and back-references as its keys; one was \"{pattern}\".");
    }

    private static bool Parses(string pattern)
    {
        try
        {
            _ = EndOf(pattern);
            return true;
        }
        catch (Exception exception) when (exception is ArgumentException or NotSupportedException)
        {
            return false;
        }
    }

    /// <summary>A pattern for the end of a module's name, at a dot (peft: get_pattern_key).</summary>
    public static Regex EndOf(string pattern) => new($@"^(?:.*\.)?(?:{pattern})$", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);

    private static string Text(double value) => value.ToString("R", CultureInfo.InvariantCulture);
}
