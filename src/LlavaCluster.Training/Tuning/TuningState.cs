using System.Globalization;
using LlavaCluster.Model.Weights;
using LlavaCluster.Training.Optimisation;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Tuning;

/// <summary>All that a run is at a step beyond its recipe, model and data, as safetensors: the parameters it trains, the optimiser's moments, the step; and whose state it is.</summary>
internal sealed class TuningState(TrainableParameters parameters, FusedAdamW optimiser, TuningIdentity identity)
{
    private const string Name = "training state";
    private const string StepKey = "step", RecipeKey = "recipe", DataKey = "data", ModelKey = "model";

    public void Save(Stream stream, long step)
    {
        var tensors = Tensors();
        try
        {
            SafetensorsWriter.Write(stream, tensors, new Dictionary<string, string>
            {
                [StepKey] = step.ToString(CultureInfo.InvariantCulture), [RecipeKey] = identity.Recipe, [DataKey] = identity.Data, [ModelKey] = identity.Model,
            });
        }
        finally
        {
            Release(tensors);
        }
    }

    /// <summary>Fills parameters and moments; returns the step.</summary>
    public long Restore(Stream stream)
    {
        var tensors = Tensors();
        var step = -1L;
        try
        {
            SafetensorsStream.Fill(stream, Name, tensors.ToDictionary(StringComparer.Ordinal), metadata =>
            {
                Require(metadata, RecipeKey, identity.Recipe, "another recipe");
                Require(metadata, DataKey, identity.Data, "other data");
                Require(metadata, ModelKey, identity.Model, "another model");
                step = long.TryParse(metadata.GetValueOrDefault(StepKey), CultureInfo.InvariantCulture, out var at) && at >= 0
                    ? at
                    : throw new CheckpointException(Name, "does not say its step.");
            });
            return step;
        }
        finally
        {
            Release(tensors);
        }
    }

    private static void Require(IReadOnlyDictionary<string, string> metadata, string key, string expected, string other)
    {
        if (metadata.GetValueOrDefault(key) != expected)
        {
            throw new CheckpointException(Name, $"is of a run with {other}: its {key} is {metadata.GetValueOrDefault(key) ?? "not said"}, this run's is {expected}.");
        }
    }

    private List<KeyValuePair<string, Tensor>> Tensors() =>
        [.. parameters.Names.Select(name => KeyValuePair.Create(name, parameters.ValueOf(name))), .. optimiser.Moments];

    // The moments, which come after, are the optimiser's own.
    private void Release(List<KeyValuePair<string, Tensor>> tensors)
    {
        foreach (var (_, tensor) in tensors.Take(parameters.Names.Count()))
        {
            tensor.Dispose();
        }
    }
}
