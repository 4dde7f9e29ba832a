using LlavaCluster.Model.Weights;

namespace LlavaCluster.Model.Config;

/// <summary>
/// A config.json as haotian-liu/LLaVA's trainer wrote it: the language model's keys with mm_* keys beside them, the vision tower by name only.
/// Source: llava/model/llava_arch.py and multimodal_projector/builder.py of that repository.
/// </summary>
internal static class OriginalConfig
{
    private static readonly VisionConfig ClipLarge = new() { Hidden = 1024, Intermediate = 4096, Layers = 24, Heads = 16, ImageSize = 224, PatchSize = 14 };

    /// <summary>The towers that checkpoints name without shipping their config.</summary>
    private static readonly Dictionary<string, VisionConfig> KnownTowers = new(StringComparer.Ordinal)
    {
        ["clip-vit-large-patch14"] = ClipLarge,
        ["clip-vit-large-patch14-336"] = ClipLarge with { ImageSize = 336 },
    };

    public static LlavaConfig Read(ConfigSection root, string folder, string? visionTower)
    {
        var kind = root.Choice("model_type", "llava", "llava", "llava_llama", "llama", "llava_mistral");
        RequireSupported(root, folder);
        var vision = ReadVision(root, folder, visionTower);
        var text = TextConfigReader.Read(root, isMistral: kind == 3);
        var anyres = root.Text("image_aspect_ratio") is "anyres";
        var layers = VisionConfigReader.ReadFeatureLayers(root, "mm_vision_select_layer", vision);
        return new LlavaConfig
        {
            Family = anyres ? ModelFamily.LlavaNext : ModelFamily.Llava15,
            Vision = vision,
            Text = text,
            Projector = ReadProjector(root, (long)vision.Hidden * layers.Length, text.Hidden),
            ImageTokenId = 0,
            FeatureLayers = layers,
            FeatureSelect = root.Choice("mm_vision_select_feature", "patch", "patch", "cls_patch") == 0 ? FeatureSelect.Patch : FeatureSelect.Full,
            BosTokenId = root.TokenId("bos_token_id", text.VocabSize, 1),
            EosTokenIds = root.TokenIds("eos_token_id", text.VocabSize, [2]),
            // The original lists are (width, height).
            GridPinpoints = anyres ? [.. HuggingFaceConfig.ReadPinpoints(root, vision.ImageSize, absent: null).Select(pair => (pair.Second, pair.First))] : [],
            OriginalAnyres = anyres,
        };
    }

    /// <summary>The folder of the vision tower's own checkpoint, or null where its tensors must be in the model's.</summary>
    public static string? FindTower(ConfigSection root, string folder, string? visionTower)
    {
        if (visionTower is not null)
        {
            return Directory.Exists(visionTower) ? visionTower : throw new CheckpointException(visionTower, "is not a folder; it should be the vision tower's.");
        }

        return root.Text("mm_vision_tower") is { Length: > 0 } name && Directory.Exists(Path.Combine(folder, name)) ? Path.GetFullPath(Path.Combine(folder, name)) : null;
    }

    private static void RequireSupported(ConfigSection root, string folder)
    {
        // The image marker is id -200 there, which has no row of its own; <unk> has one and no text encodes to it, which holds for SentencePiece with byte fallback.
        if (!File.Exists(Path.Combine(folder, "tokenizer.model")))
        {
            throw new CheckpointException(folder, "has the original LLaVA layout but no tokenizer.model; the original layout is read with its SentencePiece tokenizer only.");
        }

        foreach (var key in (ReadOnlySpan<string>)["mm_use_im_start_end", "s2"])
        {
            if (root.Flag(key, false))
            {
                throw root.Refuse(key, "must be false; this variant of the model is not supported");
            }
        }

        if (root.Text("image_aspect_ratio") is "anyres")
        {
            _ = root.Choice("mm_patch_merge_type", "flat", "spatial_unpad");
            _ = root.Choice("mm_vision_select_feature", "patch", "patch");
        }
    }

    private static VisionConfig ReadVision(ConfigSection root, string folder, string? visionTower)
    {
        if (FindTower(root, folder, visionTower) is { } tower)
        {
            var file = LlavaConfigReader.ReadRoot(tower);
            return VisionConfigReader.Read(file.Section("vision_config") ?? file);
        }

        var name = root.Text("mm_vision_tower") ?? "(absent)";
        return KnownTowers.TryGetValue(name[(name.LastIndexOf('/') + 1)..], out var vision)
            ? vision
            : throw root.Refuse("mm_vision_tower", $"must be a folder or end in one of {string.Join(", ", KnownTowers.Keys)}, or the tower's folder must be given");
    }

    private static ProjectorConfig ReadProjector(ConfigSection root, long features, int hidden)
    {
        var type = root.Text("mm_projector_type") ?? "linear";
        const string start = "mlp", end = "x_gelu";
        return type switch
        {
            "linear" => new ProjectorConfig(1),
            "identity" when features == hidden => new ProjectorConfig(0),
            "identity" => throw root.Refuse("mm_projector_type", $"must not be identity where the tower's {features} features are not the language model's hidden_size ({hidden})"),
            _ when type.StartsWith(start, StringComparison.Ordinal) && type.EndsWith(end, StringComparison.Ordinal)
                && int.TryParse(type[start.Length..^end.Length], out var layers) && layers is >= 1 and <= 4 => new ProjectorConfig(layers),
            _ => throw root.Refuse("mm_projector_type", "must be linear, identity or mlpNx_gelu with N from 1 to 4"),
        };
    }
}
