using static TorchSharp.torch;

namespace LlavaCluster.Model.Weights;

/// <summary>A weight file whose tensors are named and typed up front and whose bytes stay in the file until they are used.</summary>
internal interface ITensorFile : IDisposable
{
    string Path { get; }

    IReadOnlyDictionary<string, TensorInfo> Tensors { get; }

    /// <summary>A CPU tensor over the mapped file: read only (writing to it faults), and dead once the file is disposed. The caller disposes it.</summary>
    Tensor View(string name);

    /// <summary>Gives the pages that were read back to the system; what is used again is read again.</summary>
    void Forget();
}
