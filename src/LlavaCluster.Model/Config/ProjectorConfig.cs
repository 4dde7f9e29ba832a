namespace LlavaCluster.Model.Config;

/// <summary>The map from image features to the language model's embedding space.</summary>
/// <param name="Layers">Number of linear layers: 0 is the identity, 1 is LLaVA's matrix W, 2 is LLaVA-1.5's MLP with a GELU between.</param>
public sealed record ProjectorConfig(int Layers, Activation Activation = Activation.Gelu, bool Bias = true);
