using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Tuning;

/// <summary>
/// What a run trains, values and gradients end to end in two flat buffers. Each parameter begins at a multiple of <see cref="Alignment"/>; the numbers between are zero and
/// stay so. Owns the buffers; whoever is given a value's tensor owns that.
/// </summary>
internal sealed class TrainableParameters : IDisposable
{
    /// <summary>16 numbers, a vector's width.</summary>
    private const long Alignment = 16;

    private readonly Dictionary<string, (long Offset, long[] Shape)> _places = new(StringComparer.Ordinal);
    private readonly List<Tensor> _gradients = [];

    /// <exception cref="ArgumentException">They are more than one buffer holds.</exception>
    public TrainableParameters(IEnumerable<(string Name, IReadOnlyList<long> Shape)> parameters)
    {
        var end = 0L;
        foreach (var (name, shape) in parameters)
        {
            _places.Add(name, (end, [.. shape]));
            end += (shape.Aggregate(1L, (product, extent) => product * extent) + Alignment - 1) / Alignment * Alignment;
        }

        if (end > int.MaxValue)
        {
            throw new ArgumentException($"A run trains at most {int.MaxValue} parameters; this model and method have {end}. Train an adapter (method lora) instead.");
        }

        Values = new FlatBuffer(end);
        try
        {
            Gradients = new FlatBuffer(end);
        }
        catch
        {
            Values.Dispose();
            throw;
        }
    }

    public FlatBuffer Values { get; }

    public FlatBuffer Gradients { get; }

    public IEnumerable<string> Names => _places.Keys;

    public bool Contains(string name) => _places.ContainsKey(name);

    /// <summary>A tensor over a parameter's values; the caller owns it.</summary>
    public Tensor ValueOf(string name) => Values.View(_places[name].Offset, _places[name].Shape);

    /// <summary>Makes the backward pass add into the buffer.</summary>
    /// <param name="parameters">Tensors over the values, leaves of the graph.</param>
    public void Attach(IEnumerable<(string Name, Tensor Value)> parameters)
    {
        foreach (var (name, value) in parameters)
        {
            var gradient = Gradients.View(_places[name].Offset, _places[name].Shape);
            value.requires_grad = true;
            value.grad = gradient;
            _gradients.Add(gradient);
        }
    }

    public void Dispose()
    {
        _gradients.ForEach(gradient => gradient.Dispose());
        Gradients.Dispose();
        Values.Dispose();
    }
}
