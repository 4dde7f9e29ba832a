using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlavaCluster.Training.Tuning;

/// <summary>
/// Everything that decides what a fine-tuning run computes, apart from the model and the data. It travels as JSON with snake_case names; two runs of equal recipes over equal
/// models and data end in equal weights on equal machines. <see cref="TuningPresets"/> has the published ones.
/// </summary>
public sealed record TuningRecipe
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false) },
    };

    public required TuningMethod Method { get; init; }

    /// <summary>For <see cref="TuningMethod.Lora"/>, which needs it; null for the other methods.</summary>
    public LoraRecipe? Lora { get; init; }

    /// <summary>Times that every sample is seen. Default: 1.</summary>
    public int Epochs { get; init; } = 1;

    /// <summary>Samples of one step, over all participants. Default: 128.</summary>
    public int GlobalBatch { get; init; } = 128;

    /// <summary>Samples of one forward pass; it bounds memory and changes no result but by rounding. Default: 4.</summary>
    public int MicroBatch { get; init; } = 4;

    /// <summary>At its peak, of everything but the projector. Default: 2e-5.</summary>
    public double LearningRate { get; init; } = 2e-5;

    /// <summary>Of the projector; null (default) for <see cref="LearningRate"/>.</summary>
    public double? ProjectorLearningRate { get; init; }

    /// <summary>Of matrices; norms and biases never decay. Default: 0.</summary>
    public double WeightDecay { get; init; }

    /// <summary>Share of the steps until the rate's peak; a half cosine to nothing follows. Default: 0.03.</summary>
    public double WarmupRatio { get; init; } = 0.03;

    /// <summary>Gradients are scaled down to this L2 norm; null (default) leaves them, as LLaVA's DeepSpeed settings do.</summary>
    public double? ClipNorm { get; init; }

    /// <summary>Of a sample, its pictures' features included; longer ones are bad records. Default: 2048.</summary>
    public int MaxTokens { get; init; } = 2048;

    /// <summary>Chooses order, first factors, dropout, places of pictures and what is held out. Default: 42.</summary>
    public int Seed { get; init; } = 42;

    /// <summary>Whether a step's samples are all with or all without pictures, and alike in length (LLaVA: group_by_modality_length). Default: false.</summary>
    public bool GroupByLength { get; init; }

    /// <summary>Whether products run in bfloat16 where the machine is fast at it. Default: false.</summary>
    [JsonPropertyName("bf16")]
    public bool BFloat16 { get; init; }

    /// <summary>Whether a decoder layer keeps its input alone and computes the rest again for its gradient: less memory, a third more work. Default: false.</summary>
    public bool GradientCheckpointing { get; init; }

    /// <summary>For the methods lora and projector, which leave the base as it is. Default: stored.</summary>
    public BaseWeights BaseWeights { get; init; }

    /// <summary>Name of a conversation template; null (default) for the model's own.</summary>
    public string? Template { get; init; }

    /// <summary>Share of the questions with pictures that come before them, drawn for each sample. Default: 0, as every reader of today's models has it.</summary>
    public double QuestionFirst { get; init; }

    /// <summary>Share of the samples that are kept from training to measure the loss on. Default: 0.</summary>
    public double HeldOutShare { get; init; }

    /// <summary>The same as a number, which wins over the share; null (default) for the share.</summary>
    public int? HeldOutCount { get; init; }

    /// <summary>How many of so many samples are held out.</summary>
    public int HeldOut(int samples) => HeldOutCount ?? (int)Math.Round(samples * HeldOutShare);

    public string ToJson() => JsonSerializer.Serialize(this, Json);

    /// <exception cref="JsonException">The text is no recipe: a field is unknown, missing or of another type.</exception>
    /// <exception cref="ArgumentException">A value is out of its bounds; every such field is named.</exception>
    public static TuningRecipe Parse(string json)
    {
        var recipe = JsonSerializer.Deserialize<TuningRecipe>(json, Json) ?? throw new JsonException("A recipe must be a JSON object; was null.");
        recipe.Require();
        return recipe;
    }

    /// <summary>What is wrong with it: a line for every bad field, with the bound and the value. Empty for a recipe that can run.</summary>
    public IReadOnlyList<string> Faults() => TuningRecipeRules.Check(this);

    /// <exception cref="ArgumentException"><see cref="Faults"/> finds some.</exception>
    internal void Require()
    {
        if (Faults() is { Count: > 0 } faults)
        {
            throw new ArgumentException(string.Join(" ", faults));
        }
    }
}
