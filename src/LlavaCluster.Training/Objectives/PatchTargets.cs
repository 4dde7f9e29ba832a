using LlavaCluster.Training.Data;
using LlavaCluster.Training.Scenes;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Objectives;

/// <summary>A batch's patches as tensors over [patches]; they belong to the caller's scope.</summary>
internal readonly struct PatchTargets(PatchBatch batch)
{
    /// <summary>X, Y and size.</summary>
    public const int Numbers = 3;

    /// <summary>[patches], int64.</summary>
    public Tensor Labels { get; } = tensor(Array.ConvertAll(batch.Patches, patch => (long)patch.Label));

    /// <summary>[patches, 3]: x, y and size of the covering object.</summary>
    public Tensor Places { get; } = tensor(batch.Patches.SelectMany(patch => new[] { patch.X, patch.Y, patch.Size }).ToArray(), [batch.Patches.Length, Numbers]);

    /// <summary>[patches, 1]: 1 where an object covers the patch.</summary>
    public Tensor Covered { get; } = tensor(Array.ConvertAll(batch.Patches, patch => patch.Label == Scene.BackgroundLabel ? 0f : 1f), [batch.Patches.Length, 1]);

    /// <summary>[patches, 1]: shares of objects' middles.</summary>
    public Tensor Middles { get; } = tensor(Array.ConvertAll(batch.Patches, patch => patch.Middle), [batch.Patches.Length, 1]);
}
