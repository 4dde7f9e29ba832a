using TorchSharp.Modules;

namespace LlavaCluster.Model.Layers;

/// <summary>A place in the tree of names from which a layer takes its parameters. Parameters start frozen; a trainer unfreezes what it trains.</summary>
public readonly record struct WeightScope(IWeightSource Source, string Path)
{
    public static WeightScope Root(IWeightSource source) => new(source, "");

    public WeightScope Child(string name) => this with { Path = Path.Length == 0 ? name : $"{Path}.{name}" };

    public Parameter Take(string name, params long[] shape) => new(Source.Take(Child(name).Path, shape), requires_grad: false);

    /// <inheritdoc cref="IWeightSource.FindPacked"/>
    public PackedWeight? FindPacked(string name, long outputs, long inputs) => Source.FindPacked(Child(name).Path, outputs, inputs);
}
