using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Layers;
using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Adapters;

/// <summary>
/// A LoRA adapter (PEFT), with the projector it may bring, on the device. Owns its tensors. The base network is never changed, so many adapters and none
/// run in one batch.
/// </summary>
public sealed class LoraAdapter : IDecoderAdapter
{
    private readonly Dictionary<string, ProjectionChange> _changes = new(StringComparer.Ordinal);

    /// <summary>Copies the weights to the network's dtype and device; the caller still owns <paramref name="weights"/>.</summary>
    /// <param name="covers">The projections that are taken, by name; null takes all.</param>
    /// <exception cref="ArgumentException">It replaces a tensor that is no projection's, which rows of one batch cannot differ in.</exception>
    public LoraAdapter(LoraWeights weights, ScalarType dtype, Device device, Func<string, bool>? covers = null)
        : this(weights, tensor => tensor.to(dtype, device, copy: true).DetachFromDisposeScope(), covers ?? (static _ => true))
    {
    }

    private LoraAdapter(LoraWeights weights, Func<Tensor, Tensor> take, Func<string, bool> covers)
    {
        foreach (var name in weights.Replaced.Keys)
        {
            if (!LoraNames.IsReplaceable(name, weights.Replaced.ContainsKey))
            {
                throw new ArgumentException($"An adapter replaces '{name}'; {LoraNames.ReplaceableRule}.", nameof(weights));
            }
        }

        foreach (var (module, factors) in weights.Modules.Where(entry => covers(entry.Key)))
        {
            _changes[module] = new ProjectionChange(null, null, take(factors.A), take(factors.B), Scalars.Of(factors.Scale));
        }

        foreach (var (name, tensor) in weights.Replaced.Where(entry => covers(entry.Key) && entry.Key.EndsWith(LoraNames.WeightSuffix, StringComparison.Ordinal)))
        {
            var module = name[..^LoraNames.WeightSuffix.Length];
            var bias = weights.Replaced.GetValueOrDefault(module + LoraNames.BiasSuffix);
            var added = _changes.GetValueOrDefault(module) ?? new ProjectionChange(null, null, null, null, Scalars.One);
            _changes[module] = added with { Weight = take(tensor), Bias = bias is null ? null : take(bias) };
        }
    }

    /// <summary>An adapter over these very tensors, so that whoever trains them sees it change. It takes them over from <paramref name="weights"/>.</summary>
    /// <exception cref="ArgumentException">As for the constructor.</exception>
    public static LoraAdapter Over(LoraWeights weights) => new(weights, tensor => tensor, static _ => true);

    /// <summary>The tensors it owns, for training: <c>PROJECTION.lora_A</c> and <c>.lora_B</c>, and the <c>.weight</c> and <c>.bias</c> of what it replaces.</summary>
    public IReadOnlyList<(string Name, Tensor Value)> Tensors =>
    [
        .. from change in _changes
            from part in new[] { ("weight", change.Value.Weight), ("bias", change.Value.Bias), ("lora_A", change.Value.Down), ("lora_B", change.Value.Up) }
            where part.Item2 is not null
            select ($"{change.Key}.{part.Item1}", part.Item2),
    ];

    public long Bytes => Tensors.Sum(tensor => tensor.Value.numel() * tensor.Value.element_size());

    /// <summary>Whether pictures go through another vision tower than the base's.</summary>
    internal bool ChangesTower => _changes.Keys.Any(name => name.StartsWith(TensorNames.VisionTower + ".", StringComparison.Ordinal));

    public void Dispose()
    {
        foreach (var tensor in _changes.Values.SelectMany(change => new[] { change.Weight, change.Bias, change.Down, change.Up }))
        {
            tensor?.Dispose();
        }
    }

    internal ProjectionChange? ChangeOf(string projection) => _changes.GetValueOrDefault(projection);
}
