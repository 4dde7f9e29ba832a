using LlavaCluster.Model.Weights;

namespace LlavaCluster.Model.Config;

/// <summary>
/// Reads <c>config.json</c> and <c>generation_config.json</c> of a model folder in the Hugging Face layout or in the original LLaVA layout. Keys that are absent have the
/// defaults of the Hugging Face classes; settings that change the mathematics and are not implemented are refused by name.
/// </summary>
public static class LlavaConfigReader
{
    private const string FileName = "config.json";

    /// <param name="visionTower">For the original layout whose tower is a folder of its own: that folder. Null takes the checkpoint's own or <c>mm_vision_tower</c>.</param>
    public static LlavaConfig Read(string folder, string? visionTower = null)
    {
        var root = ReadRoot(folder);
        var config = IsOriginal(root) ? OriginalConfig.Read(root, folder, visionTower) : HuggingFaceConfig.Read(root);
        return WithGeneration(config, folder);
    }

    internal static ConfigSection ReadRoot(string folder)
    {
        if (!Directory.Exists(folder))
        {
            throw new CheckpointException(folder, "is not a folder.");
        }

        var file = Path.Combine(folder, FileName);
        return File.Exists(file) ? ConfigSection.ReadFile(file) : throw new CheckpointException(folder, $"is not a model folder: it has no {FileName}.");
    }

    /// <summary>The original trainer wrote mm_* keys beside those of the language model; model_type alone does not tell the layouts apart.</summary>
    internal static bool IsOriginal(ConfigSection root) => (root.Has("mm_vision_tower") || root.Has("mm_hidden_size")) && !root.Has("vision_config");

    private static LlavaConfig WithGeneration(LlavaConfig config, string folder)
    {
        if (ConfigSection.ReadFileIfThere(Path.Combine(folder, "generation_config.json")) is not { } generation)
        {
            return config;
        }

        var pad = config.PadTokenId ?? generation.Integer("pad_token_id", 0, int.MaxValue, null);
        return config with
        {
            BosTokenId = generation.TokenId("bos_token_id", config.Text.VocabSize, config.BosTokenId),
            EosTokenIds = generation.TokenIds("eos_token_id", config.Text.VocabSize, config.EosTokenIds),
            PadTokenId = pad == config.ImageTokenId ? null : pad,
        };
    }
}
