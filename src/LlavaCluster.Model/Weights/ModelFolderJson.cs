using System.Text.Json.Nodes;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Imaging;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Weights;

/// <summary>The JSON files of a LLaVA-1.5 folder, as Hugging Face's classes write and read them.</summary>
internal static class ModelFolderJson
{
    /// <summary>In the order to write them, config.json last.</summary>
    public static IEnumerable<(string Name, JsonObject Json)> Files(LlavaConfig config, ScalarType dtype, bool pad)
    {
        var image = config.ImageTokenId;
        var padding = config.PadTokenId ?? image + 1;
        yield return ("added_tokens.json", new JsonObject { ["<image>"] = image, ["<pad>"] = padding });
        yield return ("special_tokens_map.json", new JsonObject { ["bos_token"] = "<s>", ["eos_token"] = "</s>", ["pad_token"] = "<pad>", ["unk_token"] = "<unk>" });
        yield return ("tokenizer_config.json", Tokenizer(config, image, padding));
        yield return ("generation_config.json", new JsonObject { ["bos_token_id"] = config.BosTokenId, ["eos_token_id"] = config.EosTokenIds is [var end] ? end : new JsonArray([.. config.EosTokenIds.Select(id => (JsonNode)id)]), ["pad_token_id"] = padding });
        yield return ("preprocessor_config.json", Preprocessor(config, pad));
        yield return ("processor_config.json", new JsonObject
        {
            ["image_token"] = "<image>", ["num_additional_image_tokens"] = 1, ["patch_size"] = config.Vision.PatchSize,
            ["processor_class"] = "LlavaProcessor", ["vision_feature_select_strategy"] = Select(config),
        });
        yield return ("config.json", Root(config, dtype, image, padding));
    }

    private static JsonObject Root(LlavaConfig config, ScalarType dtype, int image, int padding) => new()
    {
        ["architectures"] = new JsonArray("LlavaForConditionalGeneration"),
        ["ignore_index"] = -100,
        ["image_token_index"] = image,
        ["model_type"] = "llava",
        ["multimodal_projector_bias"] = config.Projector.Bias,
        ["pad_token_id"] = padding,
        ["projector_hidden_act"] = VisionConfigReader.NameOf(config.Projector.Activation),
        ["text_config"] = Text(config.Text),
        ["tie_word_embeddings"] = config.Text.TieWordEmbeddings,
        ["torch_dtype"] = dtype.ToString().ToLowerInvariant(),
        ["vision_config"] = Vision(config.Vision),
        // Counted from the end, as everywhere in LLaVA's own configs: -2 is the state before the last block.
        ["vision_feature_layer"] = config.FeatureLayers is [var layer] ? layer - config.Vision.Layers - 1 : new JsonArray([.. config.FeatureLayers.Select(state => (JsonNode)(state - config.Vision.Layers - 1))]),
        ["vision_feature_select_strategy"] = Select(config),
    };

    private static JsonObject Text(TextConfig text) => new()
    {
        ["architectures"] = new JsonArray("LlamaForCausalLM"),
        ["attention_bias"] = text.AttentionBias,
        ["head_dim"] = text.HeadDim,
        ["hidden_act"] = "silu",
        ["hidden_size"] = text.Hidden,
        ["intermediate_size"] = text.Intermediate,
        ["max_position_embeddings"] = text.MaxPositions,
        ["mlp_bias"] = text.MlpBias,
        ["model_type"] = "llama",
        ["num_attention_heads"] = text.Heads,
        ["num_hidden_layers"] = text.Layers,
        ["num_key_value_heads"] = text.KvHeads,
        ["rms_norm_eps"] = text.RmsNormEpsilon,
        ["rope_scaling"] = text.RopeLinearFactor == 1 ? null : new JsonObject { ["factor"] = text.RopeLinearFactor, ["type"] = "linear" },
        ["rope_theta"] = text.RopeTheta,
        ["vocab_size"] = text.VocabSize,
    };

    private static JsonObject Vision(VisionConfig vision) => new()
    {
        ["hidden_act"] = VisionConfigReader.NameOf(vision.Activation),
        ["hidden_size"] = vision.Hidden,
        ["image_size"] = vision.ImageSize,
        ["intermediate_size"] = vision.Intermediate,
        ["layer_norm_eps"] = vision.LayerNormEpsilon,
        ["model_type"] = "clip_vision_model",
        ["num_attention_heads"] = vision.Heads,
        ["num_hidden_layers"] = vision.Layers,
        ["patch_size"] = vision.PatchSize,
        ["projection_dim"] = vision.Hidden,
    };

    private static JsonObject Tokenizer(LlavaConfig config, int image, int padding)
    {
        var added = new JsonObject();
        foreach (var (id, content) in new[] { (0, "<unk>"), (1, "<s>"), (2, "</s>"), (image, "<image>"), (padding, "<pad>") })
        {
            added[$"{id}"] = new JsonObject { ["content"] = content, ["lstrip"] = false, ["normalized"] = false, ["rstrip"] = false, ["single_word"] = false, ["special"] = true };
        }

        return new JsonObject
        {
            ["add_bos_token"] = true, ["add_eos_token"] = false, ["added_tokens_decoder"] = added, ["bos_token"] = "<s>", ["clean_up_tokenization_spaces"] = false,
            ["eos_token"] = "</s>", ["extra_special_tokens"] = new JsonObject { ["image_token"] = "<image>" }, ["image_token"] = "<image>", ["legacy"] = false,
            ["model_max_length"] = config.Text.MaxPositions, ["pad_token"] = "<pad>", ["padding_side"] = "left", ["processor_class"] = "LlavaProcessor",
            ["tokenizer_class"] = "LlamaTokenizer", ["unk_token"] = "<unk>",
        };
    }

    private static JsonObject Preprocessor(LlavaConfig config, bool pad)
    {
        var side = config.Vision.ImageSize;
        return new JsonObject
        {
            ["crop_size"] = new JsonObject { ["height"] = side, ["width"] = side }, ["do_center_crop"] = true, ["do_convert_rgb"] = true, ["do_normalize"] = true,
            ["do_pad"] = pad, ["do_rescale"] = true, ["do_resize"] = true, ["image_mean"] = Numbers(PreprocessingConfig.ClipMean), ["image_processor_type"] = pad ? "LlavaImageProcessor" : "CLIPImageProcessor",
            ["image_std"] = Numbers(PreprocessingConfig.ClipDeviation), ["processor_class"] = "LlavaProcessor", ["resample"] = 3, ["rescale_factor"] = 1 / 255.0,
            ["size"] = new JsonObject { ["shortest_edge"] = side },
        };
    }

    private static JsonArray Numbers(IReadOnlyList<double> values) => new([.. values.Select(value => (JsonNode)value)]);

    private static string Select(LlavaConfig config) => config.FeatureSelect == FeatureSelect.Full ? "full" : "default";
}
