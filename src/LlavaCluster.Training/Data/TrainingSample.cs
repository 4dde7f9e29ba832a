using LlavaCluster.Model.Text;

namespace LlavaCluster.Training.Data;

/// <summary>One conversation ready to be learned: its tokens, a picture as one of them, and its pictures' pixels.</summary>
/// <param name="Tokens">With the places that carry loss marked.</param>
/// <param name="Pixels">Normalised, [pictures, 3, S, S] flat; empty for text alone.</param>
public sealed record TrainingSample(IReadOnlyList<PromptToken> Tokens, float[] Pixels);
