namespace LlavaCluster.Model.Config;

/// <summary>A config.json of LlavaForConditionalGeneration or LlavaNextForConditionalGeneration. Defaults: transformers' configuration_llava.py and configuration_llava_next.py.</summary>
internal static class HuggingFaceConfig
{
    private static readonly (int Height, int Width)[] DefaultPinpoints = [(336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008)];

    // LlavaConfig's own tower where vision_config is absent altogether: CLIP ViT-L/14 at 336 pixels.
    private static readonly VisionConfig DefaultTower = new() { Hidden = 1024, Intermediate = 4096, Layers = 24, Heads = 16, ImageSize = 336, PatchSize = 14 };

    public static LlavaConfig Read(ConfigSection root)
    {
        var family = (ModelFamily)root.Choice("model_type", "(absent)", "llava", "llava_next");
        var vision = root.Section("vision_config") is { } tower ? VisionConfigReader.Read(tower) : DefaultTower;
        var text = TextConfigReader.Read(root.Section("text_config"), root);
        var select = root.Choice("vision_feature_select_strategy", "default", "default", "full") == 0 ? FeatureSelect.Patch : FeatureSelect.Full;
        if (family == ModelFamily.LlavaNext && select == FeatureSelect.Full)
        {
            throw root.Refuse("vision_feature_select_strategy", "must be default for llava_next");
        }

        var config = new LlavaConfig
        {
            Family = family,
            Vision = vision,
            Text = text,
            Projector = new ProjectorConfig(2, VisionConfigReader.ReadActivation(root, "projector_hidden_act", "gelu"), root.Flag("multimodal_projector_bias", true)),
            ImageTokenId = ReadImageToken(root, text),
            PadTokenId = root.Integer("pad_token_id", -1, int.MaxValue, null) is { } pad and >= 0 ? pad : null,
            FeatureLayers = VisionConfigReader.ReadFeatureLayers(root, "vision_feature_layer", vision),
            FeatureSelect = select,
            GridPinpoints = family == ModelFamily.LlavaNext ? ReadPinpoints(root, "image_grid_pinpoints") ?? DefaultPinpoints : [],
        };
        return config with
        {
            BosTokenId = root.Section("text_config")?.Integer("bos_token_id", 0, int.MaxValue, null) ?? config.BosTokenId,
            EosTokenIds = root.Section("text_config")?.Integers("eos_token_id") ?? config.EosTokenIds,
        };
    }

    private static int ReadImageToken(ConfigSection root, TextConfig text)
    {
        var key = root.FirstOf("image_token_index", "image_token_id");
        var id = root.Integer(key, 0, int.MaxValue, 32000)!.Value;
        return id < text.VocabSize ? id : throw root.Refuse(key, $"must be < the vocabulary's {text.VocabSize} rows", id);
    }

    /// <summary>Hugging Face's pinpoints are (height, width).</summary>
    internal static (int Height, int Width)[]? ReadPinpoints(ConfigSection root, string key)
    {
        if (root.Find(key) is not { } value)
        {
            return null;
        }

        var pairs = GridPinpoints.Parse(value);
        return pairs is { Length: > 0 } ? pairs : throw root.Refuse(key, "must be a list of pairs of integers >= 1", value);
    }
}
