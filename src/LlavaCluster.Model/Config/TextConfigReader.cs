namespace LlavaCluster.Model.Config;

/// <summary>A LLaMA or Mistral config. Defaults: transformers' configuration_llama.py and configuration_mistral.py.</summary>
internal static class TextConfigReader
{
    private static readonly TextConfig Llama = new();
    private static readonly TextConfig Mistral = new() { Intermediate = 14336, KvHeads = 8, MaxPositions = 4096 * 32 };
    private const int MistralWindow = 4096;
    private const int MostIds = 1 << 22;

    /// <param name="section">The text config; null means all defaults.</param>
    /// <param name="root">The whole config, which decides on tied embeddings where the text config is silent.</param>
    public static TextConfig Read(ConfigSection? section, ConfigSection root)
    {
        if (section is not { } text)
        {
            return Llama with { TieWordEmbeddings = root.Flag("tie_word_embeddings", false) };
        }

        var isMistral = text.Choice("model_type", "llama", "llama", "mistral") == 1;
        return Read(text, isMistral) with { TieWordEmbeddings = text.Flag("tie_word_embeddings", root.Flag("tie_word_embeddings", false)) };
    }

    /// <summary>A config whose own model_type says nothing of the language model, as in the original LLaVA layout.</summary>
    public static TextConfig Read(ConfigSection text, bool isMistral)
    {
        var defaults = isMistral ? Mistral : Llama;
        var hidden = text.Positive("hidden_size", defaults.Hidden);
        var heads = text.Positive("num_attention_heads", defaults.Heads);
        var config = new TextConfig
        {
            VocabSize = text.Positive("vocab_size", defaults.VocabSize, MostIds),
            Hidden = hidden,
            Intermediate = text.Positive("intermediate_size", defaults.Intermediate),
            Layers = text.Positive("num_hidden_layers", defaults.Layers, ConfigSection.MostLayers),
            Heads = heads,
            KvHeads = text.Positive("num_key_value_heads", isMistral ? defaults.KvHeads : heads),
            HeadDim = text.Positive("head_dim", Math.Max(1, hidden / heads)),
            RopeTheta = ReadRopeTheta(text),
            RopeLinearFactor = ReadRopeFactor(text),
            RmsNormEpsilon = text.PositiveNumber("rms_norm_eps", defaults.RmsNormEpsilon),
            MaxPositions = ReadPositions(text, defaults, isMistral),
            AttentionBias = text.Flag("attention_bias", false),
            MlpBias = text.Flag("mlp_bias", false),
            TieWordEmbeddings = text.Flag("tie_word_embeddings", false),
        };
        RequireSupported(text, config);
        return config;
    }

    private static void RequireSupported(ConfigSection text, TextConfig config)
    {
        _ = text.Choice("hidden_act", "silu", "silu");
        if (!text.Has("head_dim") && config.Hidden % config.Heads != 0)
        {
            throw text.Refuse("hidden_size", $"must be a multiple of num_attention_heads ({config.Heads}) where head_dim is absent", config.Hidden);
        }

        if (config.Heads % config.KvHeads != 0)
        {
            throw text.Refuse("num_key_value_heads", $"must divide num_attention_heads ({config.Heads})", config.KvHeads);
        }

        if (config.HeadDim % 2 != 0)
        {
            throw text.Refuse("head_dim", "must be even", config.HeadDim);
        }
    }

    // Attention here is over everything before; inside one sliding window that is the same thing, so the context ends with the window.
    private static int ReadPositions(ConfigSection text, TextConfig defaults, bool isMistral)
    {
        var positions = text.Positive("max_position_embeddings", defaults.MaxPositions);
        var window = isMistral && !text.Knows("sliding_window") ? MistralWindow : text.Integer("sliding_window", 1, int.MaxValue, null);
        return isMistral && window is { } bound ? Math.Min(positions, bound) : positions;
    }

    private static double ReadRopeTheta(ConfigSection text) =>
        text.Section("rope_parameters") is { } parameters && parameters.Has("rope_theta")
            ? parameters.PositiveNumber("rope_theta", 10000)
            : text.PositiveNumber("rope_theta", 10000);

    private static double ReadRopeFactor(ConfigSection text)
    {
        if ((text.Section("rope_parameters") ?? text.Section("rope_scaling")) is not { } scaling)
        {
            return 1;
        }

        return scaling.Choice(scaling.FirstOf("rope_type", "type"), "default", "default", "linear") == 1 ? scaling.PositiveNumber("factor", 1) : 1;
    }
}
