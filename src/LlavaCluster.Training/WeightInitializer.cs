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
/// A tensor depends on the seed and its name alone, not on the order in which a network asks. The caller owns what it takes.
/// </summary>
public sealed class WeightInitializer(LlavaConfig config, int seed, Device device) : IWeightSource
{
    private const double TableDeviation = 0.02; // LLaMA and CLIP: initializer_range
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
        using var generator = new Generator(SeedFor(name), new Device(DeviceType.CPU));
        var drawn = randn(shape, ScalarType.Float32, generator: generator).Times(Deviation(name, shape));
        return drawn.to(device).MoveToOuterDisposeScope();
    }

    private double Deviation(string name, long[] shape)
    {
        if (shape.Length == 1 || name.Contains("embed", StringComparison.Ordinal))
        {
            return TableDeviation;
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
