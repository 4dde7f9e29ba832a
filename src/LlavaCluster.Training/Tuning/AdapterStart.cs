using LlavaCluster.Model.Layers;
using LlavaCluster.Model.Weights;
using LlavaCluster.Training.Scenes;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Tuning;

/// <summary>
/// The adapter that a run begins with, over the run's buffer: A uniform within 1 / sqrt(in) (peft: kaiming_uniform_ with a = sqrt 5), B zero, the projector the base's; or
/// another run's adapter. A factor depends on the seed and its name alone.
/// </summary>
internal static class AdapterStart
{
    private const string Prefix = "adapter.";
    private const ulong Purpose = 5;

    public static string Down(string module) => $"{Prefix}{module}.lora_A";

    public static string Up(string module) => $"{Prefix}{module}.lora_B";

    /// <param name="folder">An adapter to go on from, or null.</param>
    /// <exception cref="CheckpointException">That adapter has other modules, ranks or tensors than the recipe.</exception>
    public static LoraWeights Create(TrainableParameters parameters, IReadOnlyList<LoraTarget> targets, Checkpoint checkpoint, int seed, string? folder)
    {
        using var _ = no_grad();
        var modules = targets.ToDictionary(target => target.Module, target => new LoraFactors(parameters.ValueOf(Down(target.Module)), parameters.ValueOf(Up(target.Module)), target.Scale), StringComparer.Ordinal);
        var replaced = parameters.Names.Where(name => !name.Contains(".lora_", StringComparison.Ordinal)).ToDictionary(name => name[Prefix.Length..], parameters.ValueOf, StringComparer.Ordinal);
        var weights = new LoraWeights(modules, replaced, Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(checkpoint.Folder))));
        try
        {
            if (folder is not null)
            {
                CopyAdapter(weights, checkpoint, folder);
                return weights;
            }

            foreach (var target in targets)
            {
                Draw(modules[target.Module].A, target, seed);
            }

            foreach (var (name, value) in replaced)
            {
                using var stored = checkpoint.Take(name, value.shape);
                value.copy_(stored);
            }

            return weights;
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    private static void Draw(Tensor factor, LoraTarget target, int seed)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(SceneRandom.For(target.Module, (ulong)seed, Purpose).NextUInt64(), CPU);
        var bound = Scalars.Of(1 / Math.Sqrt(target.Inputs));
        factor.copy_(rand(factor.shape, ScalarType.Float32, generator: generator).Times(2 / Math.Sqrt(target.Inputs)).sub(bound));
        GC.KeepAlive(bound);
    }

    private static void CopyAdapter(LoraWeights weights, Checkpoint checkpoint, string folder)
    {
        using var given = LoraAdapterReader.Read(folder, checkpoint.Config);
        var (wanted, had) = (Tensors(weights), Tensors(given));
        if (wanted.Keys.Except(had.Keys).Concat(had.Keys.Except(wanted.Keys)).Order(StringComparer.Ordinal).FirstOrDefault() is { } other)
        {
            throw new CheckpointException(folder, other, "is in the adapter or the recipe but not in both; a run goes on from an adapter of its own modules.");
        }

        foreach (var (name, value) in wanted)
        {
            if (!value.shape.SequenceEqual(had[name].shape))
            {
                throw new CheckpointException(folder, name, $"must have shape [{string.Join(", ", value.shape)}] for the recipe; was [{string.Join(", ", had[name].shape)}].");
            }

            value.copy_(had[name]);
        }

        foreach (var (module, factors) in weights.Modules)
        {
            if (Math.Abs(given.Modules[module].Scale - factors.Scale) > 1e-9 * factors.Scale)
            {
                throw new CheckpointException(folder, module, $"must have scale {factors.Scale} for the recipe; was {given.Modules[module].Scale}.");
            }
        }
    }

    private static Dictionary<string, Tensor> Tensors(LoraWeights weights) =>
        weights.Modules.SelectMany(module => new[] { (Down(module.Key), module.Value.A), (Up(module.Key), module.Value.B) })
            .Concat(weights.Replaced.Select(tensor => (Prefix + tensor.Key, tensor.Value))).ToDictionary(StringComparer.Ordinal);
}
