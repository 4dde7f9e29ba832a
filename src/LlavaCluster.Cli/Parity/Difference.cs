using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Cli.Parity;

/// <summary>Compares a tensor of ours with a stored one.</summary>
internal static class Difference
{
    public static ParityRow Of(string check, string subject, Tensor ours, SafetensorsFile file, string name, double tolerance)
    {
        using var scope = NewDisposeScope();
        var expected = file.View(name).to(ScalarType.Float64);
        if (!ours.shape.SequenceEqual(expected.shape))
        {
            return new ParityRow(check, subject, double.NaN, tolerance, $"shape [{string.Join(", ", ours.shape)}], expected [{string.Join(", ", expected.shape)}]");
        }

        var difference = ours.numel() == 0 ? 0 : (ours.to(ScalarType.Float64) - expected).abs().max().item<double>();
        return new ParityRow(check, subject, difference, tolerance, double.IsNaN(difference) ? "not a number" : null);
    }
}
