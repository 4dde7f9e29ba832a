namespace LlavaCluster.Training.Data;

/// <summary>Pictures and what covers each patch of theirs.</summary>
/// <param name="Pixels">Normalised, [pictures, 3, S, S] flat.</param>
/// <param name="Labels">[pictures, patches] flat, 0 for background.</param>
public sealed record PatchBatch(int Pictures, float[] Pixels, long[] Labels);
