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
    /// <summary>Keys that must be absent, null, false or empty.</summary>
    private static readonly string[] UnsupportedVariants =
        ["use_dora", "use_qalora", "lora_bias", "alora_invocation_tokens", "layer_replication", "target_parameters", "trainable_token_indices", "corda_config", "arrow_config"];

    private readonly ConfigSection _section;
    private readonly int _rank;
    private readonly double _alpha;
    private readonly bool _squareRoot;
    private readonly (string Key, Regex Pattern)[] _rankPatterns;
    private readonly (string Key, Regex Pattern)[] _alphaPatterns;

    private LoraSettings(ConfigSection section)
    {
        _section = section;
        _rank = section.Positive("r", 8);
        _alpha = section.PositiveNumber("lora_alpha", 8);
        _squareRoot = section.Flag("use_rslora", false);
        _rankPatterns = Patterns(section, "rank_pattern");
        _alphaPatterns = Patterns(section, "alpha_pattern");
        BaseModel = section.Text("base_model_name_or_path");
    }

    public string? BaseModel { get; }

    /// <param name="file">What messages name.</param>
    /// <param name="json">In UTF-8.</param>
    public static LoraSettings Parse(string file, byte[] json)
    {
        var section = ConfigSection.Parse(file, json);
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
    public int Rank(string module) => Match(_rankPatterns, module) is { } key ? _section.Section("rank_pattern")!.Value.Positive(key, _rank) : _rank;

    public double Scale(string module)
    {
        var alpha = Match(_alphaPatterns, module) is { } key ? _section.Section("alpha_pattern")!.Value.PositiveNumber(key, _alpha) : _alpha;
        var rank = Rank(module);
        return alpha / (_squareRoot ? Math.Sqrt(rank) : rank);
    }

    private static string? Match((string Key, Regex Pattern)[] patterns, string module) => patterns.FirstOrDefault(pattern => pattern.Pattern.IsMatch(module)).Key;

    // PEFT's get_pattern_key: the first key that is a regular expression for the end of the name, at a dot. The file is a stranger's, so matching takes linear time.
    private static (string Key, Regex Pattern)[] Patterns(ConfigSection section, string key)
    {
        try
        {
            return section.Section(key) is { } patterns
                ? [.. patterns.Keys.Select(pattern => (pattern, new Regex($@"^(?:.*\.)?(?:{pattern})$", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)))]
                : [];
        }
        catch (Exception exception) when (exception is ArgumentException or NotSupportedException)
        {
            throw section.Refuse(key, "must have regular expressions as its keys, without look-around and back-references");
        }
    }
}
