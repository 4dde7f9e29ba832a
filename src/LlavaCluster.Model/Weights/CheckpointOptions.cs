namespace LlavaCluster.Model.Weights;

/// <summary>What a model folder alone may not say.</summary>
public sealed record CheckpointOptions
{
    /// <summary>The folder of the CLIP vision tower, for a checkpoint of the original layout that names its tower without holding it. Null (default) takes <c>mm_vision_tower</c> where that is a folder.</summary>
    public string? VisionTower { get; init; }

    /// <summary>A projector file (<c>mm_projector.bin</c> or safetensors) whose tensors replace the checkpoint's. Null (default) takes the folder's <c>mm_projector.bin</c> only where the checkpoint has no projector.</summary>
    public string? Projector { get; init; }
}
