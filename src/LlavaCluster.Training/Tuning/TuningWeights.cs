using LlavaCluster.Model.Layers;
using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Tuning;

/// <summary>
/// A model folder's tensors for a run: those that learn in the run's buffer, the frozen ones on the mapped file itself where they are float32, or bfloat16 matrices that
/// autocast would make of them anyway; the rest as float32 copies. Packed in 8 bits are, if asked, the matrices of language model and tower. The checkpoint must outlive them, and this the network.
/// </summary>
internal sealed class TuningWeights(Checkpoint checkpoint, TrainableParameters trained, BaseWeights held, bool autocast) : IWeightSource, IDisposable
{
    private const string Projector = "multi_modal_projector.";

    private readonly List<PackedWeight> _packed = [];
    private readonly WeightRoom? _room = held == BaseWeights.Q8 ? new WeightRoom(autocast ? ScalarType.BFloat16 : ScalarType.Float32, get_num_threads()) : null;

    /// <summary>What is held in 8 bits, in the network's order.</summary>
    public IReadOnlyList<PackedWeight> Packed => _packed;

    public Tensor Take(string name, params long[] shape)
    {
        using var _ = no_grad();
        var stored = checkpoint.Take(name, shape);
        if (trained.Contains(name))
        {
            var value = trained.ValueOf(name);
            value.copy_(stored);
            stored.Dispose();
            return value;
        }

        if (stored.dtype == ScalarType.Float32 || (autocast && stored.dtype == ScalarType.BFloat16 && IsMatrix(name, shape)))
        {
            return stored;
        }

        var wide = stored.to(ScalarType.Float32);
        stored.Dispose();
        return wide;
    }

    public PackedWeight? FindPacked(string name, long outputs, long inputs)
    {
        if (_room is null || name.StartsWith(Projector, StringComparison.Ordinal))
        {
            return null;
        }

        if (!PackedWeight.Fits(outputs, inputs))
        {
            throw new CheckpointException(checkpoint.Folder, name, $"cannot be held in q8 (base_weights): its {outputs} outputs must be a multiple of 16 and its {inputs} inputs of 32.");
        }

        using var stored = checkpoint.Take(name, outputs, inputs);
        _packed.Add(new PackedWeight(stored, _room));
        checkpoint.Forget(); // the file's numbers have served: memory is for one matrix of them and not for all
        return _packed[^1];
    }

    public void Dispose()
    {
        _packed.ForEach(packed => packed.Dispose());
        _room?.Dispose();
    }

    // Tables of positions are added and not multiplied with.
    private static bool IsMatrix(string name, long[] shape) => shape.Length == 2 && !name.Contains("position_embedding", StringComparison.Ordinal);
}
