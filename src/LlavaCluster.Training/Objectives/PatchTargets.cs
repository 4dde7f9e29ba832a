using LlavaCluster.Training.Data;
using LlavaCluster.Training.Scenes;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Objectives;

/// <summary>A batch's patches as tensors over [patches]; they belong to the caller's scope.</summary>
internal readonly struct PatchTargets(PatchBatch batch)
{
    /// <summary>X, Y and size.</summary>
    public const int Numbers = 3;

    private const int NinthWords = 5;
    private const float Third = 1f / 3, Border = 0.1f; // from one ninth to the next a word fades over a tenth of the picture: no projector can tell closer

    /// <summary>[patches], int64.</summary>
    public Tensor Labels { get; } = tensor(Array.ConvertAll(batch.Patches, patch => (long)patch.Label));

    /// <summary>[patches, 3]: x, y and size of the covering object.</summary>
    public Tensor Places { get; } = tensor(batch.Patches.SelectMany(patch => new[] { patch.X, patch.Y, patch.Size }).ToArray(), [batch.Patches.Length, Numbers]);

    /// <summary>[patches, 5]: how far the covering object lies left, right, at the top, at the bottom and in the centre, each from 0 to 1; nothing where none covers the patch.</summary>
    public Tensor Ninths { get; } = tensor(batch.Patches.SelectMany(Ninth).ToArray(), [batch.Patches.Length, NinthWords]);

    /// <summary>[patches, 1]: 1 where an object covers the patch.</summary>
    public Tensor Covered { get; } = tensor(Array.ConvertAll(batch.Patches, patch => patch.Label == Scene.BackgroundLabel ? 0f : 1f), [batch.Patches.Length, 1]);

    /// <summary>[patches, 1]: 1 where an object has its middle.</summary>
    public Tensor Middles { get; } = tensor(Array.ConvertAll(batch.Patches, patch => patch.IsMiddle ? 1f : 0f), [batch.Patches.Length, 1]);

    private static float[] Ninth(ScenePatch patch)
    {
        if (patch.Label == Scene.BackgroundLabel)
        {
            return new float[NinthWords];
        }

        var (left, right, top, bottom) = (Beyond(Third - patch.X), Beyond(patch.X - (2 * Third)), Beyond(Third - patch.Y), Beyond(patch.Y - (2 * Third)));
        return [left, right, top, bottom, (1 - left - right) * (1 - top - bottom)];
    }

    private static float Beyond(float distance) => Math.Clamp((distance / Border) + 0.5f, 0, 1);
}
