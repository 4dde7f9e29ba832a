using System.Text.Json;
using System.Text.RegularExpressions;
using LlavaCluster.Model.Config;

namespace LlavaCluster.Model.Weights;

/// <summary>
/// What <c>adapter_config.json</c> says that changes the mathematics. Variants of LoRA that are not implemented are refused by name; keys that are unknown are let be, for
/// every release of PEFT adds some. Source: peft, src/peft/tuners/lora/config.py and model.py.
/// </summary>
internal sealed class LoraSettings
{
    private static readonly TimeSpan PatternTimeout = TimeSpan.FromMilliseconds(200);

    /// <summary>Keys that must be absent, null, false or empty.</summary>
    private static readonly string[] UnsupportedVariants =
        ["use_dora", "use_qalora", "lora_bias", "alora_invocation_tokens", "layer_replication", "target_parameters", "trainable_token_indices", "corda_config", "arrow_config"];

    private readonly ConfigSection _section;
    private readonly int _rank;
    private readonly double _alpha;
    private readonly bool _squareRoot;

    private LoraSettings(ConfigSection section)
    {
        _section = section;
        _rank = section.Positive("r", 8);
        _alpha = section.PositiveNumber("lora_alpha", 8);
        _squareRoot = section.Flag("use_rslora", false);
        BaseModel = section.Text("base_model_name_or_path");
    }

    public string? BaseModel { get; }

    public static LoraSettings Read(string file)
    {
        var section = ConfigSection.ReadFile(file);
        _ = section.Choice("peft_type", "(absent)", "LORA");
        foreach (var key in UnsupportedVariants)
        {
            if (section.Find(key) is { } value && value.ValueKind != JsonValueKind.False && value.GetRawText() is not ("[]" or "{}"))
            {
                throw section.Refuse(key, "must be off; this variant of LoRA is not supported");
            }
        }

        // These start from a base whose weights were changed, and an adapter on the unchanged base would be wrong without a sign of it.
        if (section.Find("init_lora_weights") is { ValueKind: JsonValueKind.String } start && start.GetString() is not ("gaussian" or "eva" or "orthogonal"))
        {
            throw section.Refuse("init_lora_weights", "must be true, false, gaussian, eva or orthogonal");
        }

        return new LoraSettings(section);
    }

    /// <summary>The rank that the settings give a module, by its name in the file without PEFT's wrapper.</summary>
    public int Rank(string module) => Match("rank_pattern", module) is { } key ? _section.Section("rank_pattern")!.Value.Positive(key, _rank) : _rank;

    public double Scale(string module)
    {
        var alpha = Match("alpha_pattern", module) is { } key ? _section.Section("alpha_pattern")!.Value.PositiveNumber(key, _alpha) : _alpha;
        var rank = Rank(module);
        return alpha / (_squareRoot ? Math.Sqrt(rank) : rank);
    }

    // PEFT's get_pattern_key: the first key that is a regular expression for the end of the name, at a dot.
    private string? Match(string key, string module)
    {
        if (_section.Find(key) is not { ValueKind: JsonValueKind.Object } patterns)
        {
            return null;
        }

        try
        {
            return patterns.EnumerateObject().Select(pattern => pattern.Name)
                .FirstOrDefault(pattern => Regex.IsMatch(module, $@"^(?:.*\.)?(?:{pattern})$", RegexOptions.CultureInvariant, PatternTimeout));
        }
        catch (Exception exception) when (exception is ArgumentException or RegexMatchTimeoutException)
        {
            throw _section.Refuse(key, "must have regular expressions as its keys");
        }
    }
}
