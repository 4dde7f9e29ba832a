namespace LlavaCluster.Model.Config;

/// <summary>
/// The shape of a LLaVA checkpoint: what <c>config.json</c> says after the defaults of the Hugging Face classes are filled in.
/// It knows nothing of files or tensors; <see cref="VisionConfig"/>, <see cref="TextConfig"/> and <see cref="ProjectorConfig"/> describe the parts.
/// </summary>
public sealed record LlavaConfig
{
    public required ModelFamily Family { get; init; }

    public required VisionConfig Vision { get; init; }

    public required TextConfig Text { get; init; }

    public required ProjectorConfig Projector { get; init; }

    /// <summary>The id that stands for one image feature in a prompt (32000 for LLaVA-1.5; 0, <c>&lt;unk&gt;</c>, for the original layout, whose own marker has no row). It always has a row of the embedding.</summary>
    public required int ImageTokenId { get; init; }

    public int? PadTokenId { get; init; }

    public int BosTokenId { get; init; } = 1;

    /// <summary>Ids that end an answer; at least one.</summary>
    public IReadOnlyList<int> EosTokenIds { get; init; } = [2];

    /// <summary>Hidden states that are concatenated on the feature axis, as indices into the states 0..layers (0 is the output of pre_layrnorm); never negative.</summary>
    public required IReadOnlyList<int> FeatureLayers { get; init; }

    public required FeatureSelect FeatureSelect { get; init; }

    /// <summary>LLaVA-NeXT's candidate resolutions (height, width), in the order of the checkpoint; empty for LLaVA-1.5.</summary>
    public IReadOnlyList<(int Height, int Width)> GridPinpoints { get; init; } = [];

    /// <summary>The checkpoint's <c>original</c> layout picks the grid by (width, height) order and truncates when it unpads; Hugging Face's by (height, width) and rounds to seven decimals first.</summary>
    public bool OriginalAnyres { get; init; }

    /// <summary>Image features of one tile of <see cref="VisionConfig.ImageSize"/>.</summary>
    public int TokensPerTile => (Vision.Grid * Vision.Grid) + (FeatureSelect == FeatureSelect.Full ? 1 : 0);
}

public enum ModelFamily
{
    /// <summary>One square image, a fixed number of features.</summary>
    Llava15,

    /// <summary>Several tiles an image (anyres) and a learned newline feature.</summary>
    LlavaNext,
}

public enum FeatureSelect
{
    /// <summary>The class token is dropped (Hugging Face: <c>default</c>; original: <c>patch</c>).</summary>
    Patch,

    /// <summary>The class token is kept (Hugging Face: <c>full</c>; original: <c>cls_patch</c>).</summary>
    Full,
}
