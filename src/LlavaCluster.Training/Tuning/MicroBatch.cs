using LlavaCluster.Training.Data;

namespace LlavaCluster.Training.Tuning;

/// <summary>Samples of one forward pass.</summary>
/// <param name="Samples">Which of the data set's they are, in the batch's order.</param>
internal sealed record MicroBatch(TokenBatch Tokens, IReadOnlyList<int> Samples);
