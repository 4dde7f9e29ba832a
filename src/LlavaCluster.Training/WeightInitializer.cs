using System.Security.Cryptography;
using System.Text;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Training;

/// <summary>
/// Fresh weights for a network to be trained from nothing: norms are one, biases zero, tables normal, projections normal by fan-in, and the projections that write to the
/// residual stream smaller by sqrt(2 * layers), so that its variance does not grow with depth (GPT-2; CLIP's initialiser does the same).
///
/// A language model of a few million parameters that sees a hundred thousand answers has no time to discover copying, on which every answer about a picture rests, so
/// it starts near it (after Trockman and Kolter, Mimetic Initialization of Self-Attention Layers, 2023): keys begin as queries, so that a token looks for its like;
/// outputs as the transpose of values, so that what is looked at is handed on as it is; the head as the word embeddings, so that what is handed on is said.
///
/// A tensor depends on the seed and its name alone, not on the order in which a network asks. The caller owns what it takes.
/// </summary>
public sealed class WeightInitializer(LlavaConfig config, int seed, Device device) : IWeightSource
{
    private const string Embedding = "language_model.embed_tokens.weight";
    private const string Head = "lm_head.weight";
    private const string Query = ".q_proj.weight", Key = ".k_proj.weight", Value = ".v_proj.weight", Output = ".o_proj.weight";
    private const string Language = "language_model.";
    private const double TableDeviation = 0.02; // CLIP: initializer_range
    private const double WordDeviation = 0.1; // LLaMA's 0.02 makes words of 4096 numbers as long as this makes words of 256
    private const double KeyShare = 0.5; // whole keys would let a token see hardly anything but itself
    private static readonly string[] ResidualWriters = [".o_proj.weight", ".down_proj.weight", ".out_proj.weight", ".fc2.weight"];

    public Tensor Take(string name, params long[] shape)
    {
        if (name.EndsWith(".bias", StringComparison.Ordinal))
        {
            return zeros(shape, ScalarType.Float32, device);
        }

        if (shape.Length == 1 && name.EndsWith(".weight", StringComparison.Ordinal))
        {
            return ones(shape, ScalarType.Float32, device);
        }

        using var scope = NewDisposeScope();
        return Draw(name, shape).to(device).MoveToOuterDisposeScope();
    }

    private Tensor Draw(string name, long[] shape)
    {
        var deviation = Deviation(name, shape);
        if (!name.StartsWith(Language, StringComparison.Ordinal))
        {
            return Normal(name == Head ? Embedding : name, shape).Times(deviation);
        }

        // Heads that share keys (grouped queries) have other shapes, and start at random.
        var text = config.Text;
        var pairs = text.Heads == text.KvHeads;
        return name switch
        {
            _ when pairs && name.EndsWith(Key, StringComparison.Ordinal) => Normal(name.Replace(Key, Query, StringComparison.Ordinal), shape).Times(deviation * KeyShare),
            _ when pairs && name.EndsWith(Output, StringComparison.Ordinal) => Normal(name.Replace(Output, Value, StringComparison.Ordinal), [shape[1], shape[0]]).t().contiguous().Times(deviation),
            _ => Normal(name, shape).Times(deviation),
        };
    }

    private Tensor Normal(string name, long[] shape)
    {
        using var generator = new Generator(SeedFor(name), new Device(DeviceType.CPU));
        return randn(shape, ScalarType.Float32, generator: generator);
    }

    private double Deviation(string name, long[] shape)
    {
        if (shape.Length == 1 || name.Contains("embed", StringComparison.Ordinal))
        {
            return name == Embedding ? WordDeviation : TableDeviation;
        }

        var fanIn = (double)shape.Skip(1).Aggregate(1L, (product, extent) => product * extent);
        var layers = name.StartsWith("vision_tower.", StringComparison.Ordinal) ? config.Vision.Layers : config.Text.Layers;
        return ResidualWriters.Any(suffix => name.EndsWith(suffix, StringComparison.Ordinal))
            ? 1 / Math.Sqrt(fanIn * 2 * layers)
            : 1 / Math.Sqrt(fanIn);
    }

    private ulong SeedFor(string name)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes($"{seed}:{name}"), digest);
        return BitConverter.ToUInt64(digest);
    }
}
