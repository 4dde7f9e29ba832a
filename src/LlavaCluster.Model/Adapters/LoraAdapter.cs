namespace LlavaCluster.Model.Adapters;

/// <summary>
/// A LoRA adapter on the device: low-rank changes by canonical projection name. Owns its tensors. The base network is never changed,
/// so many adapters and none can run in one batch.
/// </summary>
public sealed class LoraAdapter(IReadOnlyDictionary<string, LoraWeights> projections) : IDisposable
{
    /// <summary>By projection, e.g. <c>language_model.layers.0.self_attn.q_proj</c>.</summary>
    public IReadOnlyDictionary<string, LoraWeights> Projections { get; } = projections;

    /// <summary>Whether image features depend on this adapter, so that they must not be shared with the base's.</summary>
    public bool ChangesImageFeatures { get; } =
        projections.Keys.Any(name => name.StartsWith("vision_tower.", StringComparison.Ordinal) || name.StartsWith("multi_modal_projector.", StringComparison.Ordinal));

    public void Dispose()
    {
        foreach (var weights in Projections.Values)
        {
            weights.Down.Dispose();
            weights.Up.Dispose();
        }
    }
}
