using static TorchSharp.torch;

namespace LlavaCluster.Model.Language;

/// <summary>Runs one decoder layer in a way of its own, as training does that keeps a layer's input alone and computes the rest again for its gradient.</summary>
/// <param name="layer">[tokens, hidden] in and out.</param>
public delegate Tensor LayerRunner(Func<Tensor, Tensor> layer, Tensor hidden);
