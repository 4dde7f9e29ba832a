using static TorchSharp.torch;

namespace LlavaCluster.Model.Adapters;

/// <summary>One projection's low-rank change, W + scale B A (PEFT). The adapter that holds it owns the tensors.</summary>
/// <param name="Down">A, [rank, in].</param>
/// <param name="Up">B, [out, rank].</param>
public sealed record LoraWeights(Tensor Down, Tensor Up, double Scale);
