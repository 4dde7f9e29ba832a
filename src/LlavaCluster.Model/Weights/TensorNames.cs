namespace LlavaCluster.Model.Weights;

/// <summary>
/// The one table from the names that checkpoints use to ours. Our names are those of Hugging Face's modules since transformers 4.52 without the leading
/// <c>model.</c>: <c>language_model.{embed_tokens,layers.N.*,norm}</c>, <c>lm_head</c>, <c>vision_tower.vision_model.*</c>,
/// <c>multi_modal_projector.linear_{1,2,...}</c> and <c>image_newline</c>.
/// </summary>
/// <remarks>
/// Sources: <c>_checkpoint_conversion_mapping</c> in transformers' modeling_llava.py and modeling_llava_next.py (old and new Hugging Face names);
/// haotian-liu/LLaVA, llava/model/llava_arch.py and multimodal_projector/builder.py (original names).
/// </remarks>
internal static class TensorNames
{
    public const string Projector = "multi_modal_projector";
    public const string VisionTower = "vision_tower";
    public const string ImageNewline = "image_newline";
    public const string LanguageHead = "lm_head.weight";

    /// <summary>A prefix of whole name segments and what replaces it; the first that fits is the only one applied.</summary>
    private static readonly (string Prefix, string Canonical)[] Rules =
    [
        // Hugging Face up to 4.51, and what save_pretrained writes to this day.
        ("language_model.model", "language_model"),
        ("language_model.lm_head", "lm_head"),
        // The original layout; its projector is a Sequential whose odd entries are GELUs.
        ("model.vision_tower.vision_tower", "vision_tower"),
        ("model.mm_projector.0", "multi_modal_projector.linear_1"),
        ("model.mm_projector.2", "multi_modal_projector.linear_2"),
        ("model.mm_projector.4", "multi_modal_projector.linear_3"),
        ("model.mm_projector.6", "multi_modal_projector.linear_4"),
        ("model.mm_projector", "multi_modal_projector.linear_1"),
        // Hugging Face since 4.52.
        ("model.language_model", "language_model"),
        ("model.vision_tower", "vision_tower"),
        ("model.multi_modal_projector", "multi_modal_projector"),
        ("model.image_newline", "image_newline"),
        // The original layout's language model is a bare LLaMA.
        ("model", "language_model"),
        // A CLIP checkpoint of its own.
        ("vision_model", "vision_tower.vision_model"),
    ];

    /// <summary>Buffers that old checkpoints carry and that follow from the config.</summary>
    private static readonly string[] IgnoredSuffixes = [".rotary_emb.inv_freq", ".embeddings.position_ids"];

    /// <summary>Our name for a tensor or module of a checkpoint.</summary>
    public static string Canonical(string name)
    {
        foreach (var (prefix, canonical) in Rules)
        {
            if (name.StartsWith(prefix, StringComparison.Ordinal) && (name.Length == prefix.Length || name[prefix.Length] == '.'))
            {
                return string.Concat(canonical, name.AsSpan(prefix.Length));
            }
        }

        return name;
    }

    public static bool IsIgnored(string name) => IgnoredSuffixes.Any(suffix => name.EndsWith(suffix, StringComparison.Ordinal));
}
