using LlavaCluster.Model.Layers;
using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Runs;

/// <summary>Weights from the checkpoints of earlier phases, the latest first, and from an initialiser for what is to be learned from nothing. Tensors are copies.</summary>
/// <param name="rest">Gives what no phase before has trained.</param>
/// <param name="isFresh">Which weights those may be; any other that no file holds is an error, because a network with a random part still runs, and learns badly.</param>
public sealed class CheckpointSource(IReadOnlyList<string> files, IWeightSource rest, Func<string, bool> isFresh) : IWeightSource, IDisposable
{
    private readonly SafetensorsFile[] _files = [.. files.Select(SafetensorsFile.Open)];

    /// <exception cref="CheckpointException">A file holds the weight in another shape, or none holds it and it may not be fresh.</exception>
    public Tensor Take(string name, params long[] shape)
    {
        foreach (var file in _files)
        {
            if (file.Tensors.TryGetValue(name, out var info))
            {
                using var stored = file.View(name);
                return info.Shape.SequenceEqual(shape)
                    ? stored.to(ScalarType.Float32, copy: true)
                    : throw new CheckpointException(file.Path, name, $"must have shape [{string.Join(", ", shape)}]; was {info.ShapeText}.");
            }
        }

        return isFresh(name)
            ? rest.Take(name, shape)
            : throw new CheckpointException(files.Count == 0 ? "" : files[0], name, "was trained by no phase before.");
    }

    public void Dispose()
    {
        foreach (var file in _files)
        {
            file.Dispose();
        }
    }
}
