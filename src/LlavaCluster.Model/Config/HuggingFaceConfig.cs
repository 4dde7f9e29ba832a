namespace LlavaCluster.Model.Config;

/// <summary>A config.json of LlavaForConditionalGeneration or LlavaNextForConditionalGeneration. Defaults: transformers' configuration_llava.py and configuration_llava_next.py.</summary>
internal static class HuggingFaceConfig
{
    private static readonly (int Height, int Width)[] DefaultPinpoints = [(336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008)];

    private const string Pinpoints = "image_grid_pinpoints";
    private const int MostPinpoints = 256;

    // Of one picture, whose pixels are held as numbers; published models go to 36.
    private const int MostTiles = 64;

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
            ImageTokenId = root.TokenId(root.FirstOf("image_token_index", "image_token_id"), text.VocabSize, 32000),
            PadTokenId = root.Integer("pad_token_id", -1, int.MaxValue, null) is { } pad and >= 0 ? pad : null,
            FeatureLayers = VisionConfigReader.ReadFeatureLayers(root, "vision_feature_layer", vision),
            FeatureSelect = select,
            GridPinpoints = family == ModelFamily.LlavaNext ? ReadPinpoints(root, vision.ImageSize, DefaultPinpoints) : [],
        };
        return config with
        {
            BosTokenId = root.Section("text_config")?.TokenId("bos_token_id", text.VocabSize, config.BosTokenId) ?? config.BosTokenId,
            EosTokenIds = root.Section("text_config")?.TokenIds("eos_token_id", text.VocabSize, config.EosTokenIds) ?? config.EosTokenIds,
        };
    }

    /// <summary>Candidate resolutions in the file's order of a pair, each a whole number of tiles; Hugging Face's pairs are (height, width).</summary>
    /// <param name="absent">What an absent key stands for; null where it must be there.</param>
    internal static (int First, int Second)[] ReadPinpoints(ConfigSection root, int imageSize, (int First, int Second)[]? absent)
    {
        var value = root.Find(Pinpoints);
        var pairs = value is { } given ? GridPinpoints.Parse(given) : absent;
        if (pairs is not { Length: > 0 and <= MostPinpoints })
        {
            throw root.Refuse(Pinpoints, $"must be a list of pairs of integers >= 1, at most {MostPinpoints} of them");
        }

        foreach (var (first, second) in pairs)
        {
            if (first % imageSize != 0 || second % imageSize != 0 || (long)(first / imageSize) * (second / imageSize) > MostTiles)
            {
                throw root.Refuse(Pinpoints, $"must be multiples of the vision tower's image_size ({imageSize}) with at most {MostTiles} tiles", $"[{first}, {second}]");
            }
        }

        return pairs;
    }
}
