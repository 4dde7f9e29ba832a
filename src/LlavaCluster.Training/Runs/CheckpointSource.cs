using LlavaCluster.Model.Layers;
using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Runs;

/// <summary>Weights from the checkpoints of earlier phases, the latest first, and from an initialiser for what none has. Tensors are copies.</summary>
public sealed class CheckpointSource(IReadOnlyList<string> files, IWeightSource rest) : IWeightSource, IDisposable
{
    private readonly SafetensorsFile[] _files = [.. files.Select(SafetensorsFile.Open)];

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

        return rest.Take(name, shape);
    }

    public void Dispose()
    {
        foreach (var file in _files)
        {
            file.Dispose();
        }
    }
}
