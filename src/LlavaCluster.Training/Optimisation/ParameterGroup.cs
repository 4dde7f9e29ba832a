using static TorchSharp.torch;

namespace LlavaCluster.Training.Optimisation;

/// <summary>Parameters that share a learning rate and a decay. The network owns them.</summary>
/// <param name="Parameters">By name; the names key the optimiser's state in a checkpoint.</param>
/// <param name="LearningRate">At the schedule's peak.</param>
/// <param name="WeightDecay">Decoupled; 0 for norms, biases and tables.</param>
public sealed record ParameterGroup(IReadOnlyList<(string Name, Tensor Value)> Parameters, double LearningRate, double WeightDecay);
