using LlavaCluster.Model.Config;

namespace LlavaCluster.Model.Weights;

/// <summary>Every tensor that a model of a given config has, by our names (<see cref="TensorNames"/>), with its shape.</summary>
public static class TensorPlan
{
    private const int Channels = 3;

    public static IReadOnlyList<PlannedTensor> For(LlavaConfig config) =>
        [.. Vision(config), .. Projector(config), .. Text(config.Text)];

    private static IEnumerable<PlannedTensor> Vision(LlavaConfig config)
    {
        const string root = "vision_tower.vision_model.";
        var vision = config.Vision;
        long hidden = vision.Hidden;
        yield return new(root + "embeddings.class_embedding", [hidden]);
        yield return new(root + "embeddings.patch_embedding.weight", [hidden, Channels, vision.PatchSize, vision.PatchSize]);
        yield return new(root + "embeddings.position_embedding.weight", [((long)vision.Grid * vision.Grid) + 1, hidden]);
        foreach (var tensor in Biased(root + "pre_layrnorm", [hidden]))
        {
            yield return tensor;
        }

        var used = config.FeatureLayers.Max();
        for (var layer = 0; layer < vision.Layers; layer++)
        {
            foreach (var tensor in VisionLayer($"{root}encoder.layers.{layer}.", vision))
            {
                yield return tensor with { Optional = layer >= used };
            }
        }

        foreach (var tensor in Biased(root + "post_layernorm", [hidden]))
        {
            yield return tensor with { Optional = true };
        }
    }

    private static IEnumerable<PlannedTensor> VisionLayer(string prefix, VisionConfig vision)
    {
        long hidden = vision.Hidden, inner = vision.Intermediate;
        IEnumerable<PlannedTensor> attention = new[] { "q", "k", "v", "out" }.SelectMany(part => Biased($"{prefix}self_attn.{part}_proj", [hidden, hidden]));
        return [.. Biased(prefix + "layer_norm1", [hidden]), .. attention, .. Biased(prefix + "layer_norm2", [hidden]),
            .. Biased(prefix + "mlp.fc1", [inner, hidden]), .. Biased(prefix + "mlp.fc2", [hidden, inner])];
    }

    private static IEnumerable<PlannedTensor> Projector(LlavaConfig config)
    {
        long width = (long)config.Vision.Hidden * config.FeatureLayers.Count;
        for (var layer = 1; layer <= config.Projector.Layers; layer++)
        {
            foreach (var tensor in Linear($"{TensorNames.Projector}.linear_{layer}", config.Text.Hidden, width, config.Projector.Bias))
            {
                yield return tensor;
            }

            width = config.Text.Hidden;
        }

        if (config.Family == ModelFamily.LlavaNext)
        {
            yield return new(TensorNames.ImageNewline, [config.Text.Hidden]);
        }
    }

    private static IEnumerable<PlannedTensor> Text(TextConfig text)
    {
        yield return new("language_model.embed_tokens.weight", [text.VocabSize, text.Hidden]);
        for (var layer = 0; layer < text.Layers; layer++)
        {
            foreach (var tensor in TextLayer($"language_model.layers.{layer}.", text))
            {
                yield return tensor;
            }
        }

        yield return new("language_model.norm.weight", [text.Hidden]);
        yield return new(TensorNames.LanguageHead, [text.VocabSize, text.Hidden], Optional: text.TieWordEmbeddings);
    }

    private static IEnumerable<PlannedTensor> TextLayer(string prefix, TextConfig text)
    {
        long hidden = text.Hidden, inner = text.Intermediate, queries = (long)text.Heads * text.HeadDim, keys = (long)text.KvHeads * text.HeadDim;
        return
        [
            new(prefix + "input_layernorm.weight", [hidden]),
            .. Linear(prefix + "self_attn.q_proj", queries, hidden, text.AttentionBias),
            .. Linear(prefix + "self_attn.k_proj", keys, hidden, text.AttentionBias),
            .. Linear(prefix + "self_attn.v_proj", keys, hidden, text.AttentionBias),
            .. Linear(prefix + "self_attn.o_proj", hidden, queries, text.AttentionBias),
            new(prefix + "post_attention_layernorm.weight", [hidden]),
            .. Linear(prefix + "mlp.gate_proj", inner, hidden, text.MlpBias),
            .. Linear(prefix + "mlp.up_proj", inner, hidden, text.MlpBias),
            .. Linear(prefix + "mlp.down_proj", hidden, inner, text.MlpBias),
        ];
    }

    private static IEnumerable<PlannedTensor> Linear(string name, long rows, long columns, bool bias) =>
        bias ? Biased(name, [rows, columns]) : [new(name + ".weight", [rows, columns])];

    private static IEnumerable<PlannedTensor> Biased(string name, long[] shape) =>
        [new(name + ".weight", shape), new(name + ".bias", [shape[0]])];
}

/// <summary>One tensor of a model.</summary>
/// <param name="Optional">A checkpoint may lack it: it never reaches the output (the vision blocks after the selected one, post_layernorm) or is tied to another.</param>
public sealed record PlannedTensor(string Name, IReadOnlyList<long> Shape, bool Optional = false);
