using LlavaCluster.Model.Layers;
using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Adapters;

/// <summary>
/// A LoRA adapter (PEFT), with the projector it may bring, on the device. Owns its tensors. The base network is never changed, so many adapters and none
/// run in one batch.
/// </summary>
public sealed class LoraAdapter : IDisposable
{
    private const string WeightSuffix = ".weight";
    private const string BiasSuffix = ".bias";

    private readonly Dictionary<string, ProjectionChange> _changes = new(StringComparer.Ordinal);

    /// <summary>Copies the weights to the network's dtype and device; the caller still owns <paramref name="weights"/>.</summary>
    /// <exception cref="ArgumentException">It replaces a tensor that is no projection's, which rows of one batch cannot differ in.</exception>
    public LoraAdapter(LoraWeights weights, ScalarType dtype, Device device)
    {
        foreach (var name in weights.Replaced.Keys)
        {
            RequireReplaceable(name, weights.Replaced);
        }

        Tensor Copy(Tensor tensor) => tensor.to(dtype, device, copy: true).DetachFromDisposeScope();

        foreach (var (module, factors) in weights.Modules)
        {
            _changes[module] = new ProjectionChange(null, null, Copy(factors.A), Copy(factors.B), Scalars.Of(factors.Scale));
        }

        foreach (var (name, tensor) in weights.Replaced.Where(entry => entry.Key.EndsWith(WeightSuffix, StringComparison.Ordinal)))
        {
            var module = name[..^WeightSuffix.Length];
            var bias = weights.Replaced.GetValueOrDefault(module + BiasSuffix);
            var added = _changes.GetValueOrDefault(module) ?? new ProjectionChange(null, null, null, null, Scalars.One);
            _changes[module] = added with { Weight = Copy(tensor), Bias = bias is null ? null : Copy(bias) };
        }

        ChangesImageFeatures = _changes.Keys.Any(name =>
            name.StartsWith("vision_tower.", StringComparison.Ordinal) || name.StartsWith("multi_modal_projector.", StringComparison.Ordinal));
    }

    /// <summary>Whether image features depend on this adapter, so that they must not be shared with the base's.</summary>
    public bool ChangesImageFeatures { get; }

    /// <summary>The tensors it owns, for training: <c>PROJECTION.lora_A</c> and <c>.lora_B</c>, and the <c>.weight</c> and <c>.bias</c> of what it replaces.</summary>
    public IReadOnlyList<(string Name, Tensor Value)> Tensors =>
    [
        .. from change in _changes
            from part in new[] { ("weight", change.Value.Weight), ("bias", change.Value.Bias), ("lora_A", change.Value.Down), ("lora_B", change.Value.Up) }
            where part.Item2 is not null
            select ($"{change.Key}.{part.Item1}", part.Item2),
    ];

    public void Dispose()
    {
        foreach (var tensor in _changes.Values.SelectMany(change => new[] { change.Weight, change.Bias, change.Down, change.Up }))
        {
            tensor?.Dispose();
        }
    }

    // A bias alone would need the base's product without its own bias, which nobody writes.
    private static void RequireReplaceable(string name, IReadOnlyDictionary<string, Tensor> replaced)
    {
        var isProjector = name.StartsWith("multi_modal_projector.", StringComparison.Ordinal);
        var isWeight = name.EndsWith(WeightSuffix, StringComparison.Ordinal);
        var isBiasOfOne = name.EndsWith(BiasSuffix, StringComparison.Ordinal) && replaced.ContainsKey(name[..^BiasSuffix.Length] + WeightSuffix);
        if (!isProjector || !(isWeight || isBiasOfOne))
        {
            throw new ArgumentException($"An adapter may replace the projector's weights, with or without their biases, and nothing else; this one replaces '{name}'.", nameof(replaced));
        }
    }

    internal ProjectionChange? ChangeOf(string projection) => _changes.GetValueOrDefault(projection);
}
