using LlavaCluster.Training.Scenes;

namespace LlavaCluster.Training.Data;

/// <summary>Pictures and what the boxes say of each patch of theirs.</summary>
/// <param name="Pictures">How many.</param>
/// <param name="Pixels">Normalised, [pictures, 3, S, S] flat.</param>
/// <param name="Patches">[pictures, patches] flat.</param>
public sealed record PatchBatch(int Pictures, float[] Pixels, ScenePatch[] Patches);
