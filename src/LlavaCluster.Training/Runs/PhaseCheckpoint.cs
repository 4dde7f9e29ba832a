using System.Globalization;
using LlavaCluster.Model.Weights;
using LlavaCluster.Training.Optimisation;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Runs;

/// <summary>
/// A phase's state in one safetensors file: the parameters it trains, the optimiser's moments and the number of steps done. Data and noise follow from the step, so with the
/// earlier phases' files that is all an exact continuation needs. What a phase does not train it does not store: a later phase could take it for learned. Written whole or not at all.
/// </summary>
internal static class PhaseCheckpoint
{
    private const string StepKey = "step";

    public static void Save(string file, IReadOnlyList<(string Name, Tensor Value)> parameters, FusedAdamW optimiser, long step) =>
        SafetensorsWriter.Write(
            file,
            [.. parameters.Select(parameter => KeyValuePair.Create(parameter.Name, parameter.Value)), .. optimiser.Moments],
            new Dictionary<string, string> { [StepKey] = step.ToString(CultureInfo.InvariantCulture) });

    /// <summary>Restores parameters and moments in place; returns the steps done, 0 where there is no file.</summary>
    /// <exception cref="CheckpointException">The file is damaged or another network's.</exception>
    public static long Restore(string file, IReadOnlyList<(string Name, Tensor Value)> parameters, FusedAdamW optimiser)
    {
        if (!File.Exists(file))
        {
            return 0;
        }

        using var stored = SafetensorsFile.Open(file);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        foreach (var (name, value) in parameters)
        {
            value.copy_(stored.View(name));
        }

        foreach (var (name, moment) in optimiser.Moments)
        {
            moment.copy_(stored.View(name));
        }

        return StepOf(stored);
    }

    public static long StepOf(SafetensorsFile file) =>
        file.Metadata.TryGetValue(StepKey, out var text) && long.TryParse(text, CultureInfo.InvariantCulture, out var step)
            ? step
            : throw new CheckpointException(file.Path, "is not a training checkpoint: it does not say its step.");
}
