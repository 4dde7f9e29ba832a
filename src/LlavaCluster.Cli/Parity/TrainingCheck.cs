using System.Text.Json;
using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Weights;
using LlavaCluster.Training.Data;
using LlavaCluster.Training.Objectives;
using LlavaCluster.Training.Optimisation;
using LlavaCluster.Training.Replicas;
using LlavaCluster.Training.Runs;
using static TorchSharp.torch;

namespace LlavaCluster.Cli.Parity;

/// <summary>Losses before and after each AdamW step over one sample: projector alone, projector and language model, and the adapter alone.</summary>
internal sealed class TrainingCheck : IParityCheck
{
    private const string AdapterAlone = "lora_only";

    private static readonly Dictionary<string, Func<string, bool>> Settings = new(StringComparer.Ordinal)
    {
        ["projector_only"] = name => name.StartsWith("multi_modal_projector.", StringComparison.Ordinal),
        ["full_lm"] = name => !name.StartsWith("vision_tower.", StringComparison.Ordinal),
        [AdapterAlone] = name => name.StartsWith("adapter.", StringComparison.Ordinal),
    };

    public IEnumerable<ParityRow> Run(ParityContext context)
    {
        if (!context.Folder.Has("train.json"))
        {
            return [];
        }

        // Parameters that learn must be made outside inference mode.
        using var learning = inference_mode(false);
        using var checkpoint = CheckpointReader.Open(context.Folder.Path);
        var reference = context.Folder.Json("train.json");
        var batch = Batch(context, reference, checkpoint.Config);
        return [.. Settings.Where(setting => reference.TryGetProperty(setting.Key, out _)).SelectMany(setting => Compare(context, setting.Key, setting.Value, reference, checkpoint, batch))];
    }

    private static IEnumerable<ParityRow> Compare(ParityContext context, string setting, Func<string, bool> trains, JsonElement reference, Checkpoint checkpoint, TokenBatch batch)
    {
        double[] expected = [.. reference.GetProperty(setting).GetProperty("losses").EnumerateArray().Select(loss => loss.GetDouble())];
        var losses = Losses(context, setting, trains, reference.GetProperty("optimizer"), checkpoint, batch, expected.Length);
        return losses.Select((loss, step) => new ParityRow(
            "training losses", $"{setting} after {step} steps", Math.Abs(loss - expected[step]), Tolerances.Losses, double.IsNaN(loss) ? "not a number" : null));
    }

    private static double[] Losses(ParityContext context, string setting, Func<string, bool> trains, JsonElement optimizer, Checkpoint checkpoint, TokenBatch batch, int count)
    {
        using var group = new ReplicaGroup<TokenBatch>(weights => new NextTokenObjective(checkpoint.Config, weights, autocast: false, adapter: setting == AdapterAlone ? Adapter() : null), new CheckpointCopies(checkpoint), 1, trains);
        var betas = optimizer.GetProperty("betas");
        using var adamW = new FusedAdamW(
            [new ParameterGroup(group.Trained, optimizer.GetProperty("lr").GetDouble(), optimizer.GetProperty("weight_decay").GetDouble())],
            new AdamWOptions { Beta1 = betas[0].GetDouble(), Beta2 = betas[1].GetDouble(), Epsilon = optimizer.GetProperty("eps").GetDouble() });
        var losses = new double[count];
        for (var step = 0; step < count; step++)
        {
            losses[step] = group.Backward([batch]);
            adamW.Step(1);
        }

        return losses;

        LoraAdapter Adapter()
        {
            using var weights = LoraAdapterReader.Read(context.Folder.Adapter, checkpoint.Config);
            return new LoraAdapter(weights, ScalarType.Float32, CPU);
        }
    }

    private static TokenBatch Batch(ParityContext context, JsonElement reference, LlavaConfig config)
    {
        using var tensors = context.Folder.Tensors("train.safetensors");
        using var pixels = tensors.View("pixel_values");
        var values = pixels.data<float>().ToArray();
        var sample = TrainingSample.FromLabels(Integers("input_ids"), Integers("labels"), config.ImageTokenId, config.TokensPerTile, values);
        return new TokenBatch([sample], config.TokensPerTile, 3 * config.Vision.ImageSize * config.Vision.ImageSize);

        int[] Integers(string name) => [.. reference.GetProperty(name).EnumerateArray().Select(value => value.GetInt32())];
    }
}
