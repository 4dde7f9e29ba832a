namespace LlavaCluster.Model.Config;

/// <summary>A CLIP vision config: <c>vision_config</c> of a LLaVA or CLIP model, or a file of its own. Defaults: transformers' configuration_clip.py.</summary>
internal static class VisionConfigReader
{
    private const int LargestImage = 1 << 14;

    public static VisionConfig Read(ConfigSection section)
    {
        _ = section.Choice("model_type", "clip_vision_model", "clip_vision_model");
        var defaults = new VisionConfig();
        var vision = new VisionConfig
        {
            Hidden = section.Positive("hidden_size", defaults.Hidden),
            Intermediate = section.Positive("intermediate_size", defaults.Intermediate),
            Layers = section.Positive("num_hidden_layers", defaults.Layers, ConfigSection.MostLayers),
            Heads = section.Positive("num_attention_heads", defaults.Heads),
            ImageSize = section.Positive("image_size", defaults.ImageSize, LargestImage),
            PatchSize = section.Positive("patch_size", defaults.PatchSize),
            Activation = ReadActivation(section, "hidden_act", "quick_gelu"),
            LayerNormEpsilon = section.PositiveNumber("layer_norm_eps", defaults.LayerNormEpsilon),
        };
        _ = section.Integer("num_channels", 3, 3, 3);
        if (vision.Hidden % vision.Heads != 0)
        {
            throw section.Refuse("hidden_size", $"must be a multiple of num_attention_heads ({vision.Heads})", vision.Hidden);
        }

        return vision.PatchSize <= vision.ImageSize ? vision : throw section.Refuse("patch_size", $"must be <= image_size ({vision.ImageSize})", vision.PatchSize);
    }

    public static Activation ReadActivation(ConfigSection section, string key, string fallback) =>
        section.Choice(key, fallback, "quick_gelu", "gelu", "silu", "swish") switch
        {
            0 => Activation.QuickGelu,
            1 => Activation.Gelu,
            _ => Activation.Silu,
        };

    /// <summary>The word that <see cref="ReadActivation"/> reads.</summary>
    public static string NameOf(Activation activation) => activation switch
    {
        Activation.QuickGelu => "quick_gelu",
        Activation.Gelu => "gelu",
        _ => "silu",
    };

    /// <summary>An index or a list of them into the hidden states 0..layers; negative ones count from the end.</summary>
    public static int[] ReadFeatureLayers(ConfigSection section, string key, VisionConfig vision)
    {
        var states = vision.Layers + 1;
        var layers = section.Integers(key) ?? [-2];
        return [.. layers.Select(layer => layer >= -states && layer < states
            ? (layer + states) % states
            : throw section.Refuse(key, $"must lie between {-states} and {states - 1} for {vision.Layers} layers", layer))];
    }
}
