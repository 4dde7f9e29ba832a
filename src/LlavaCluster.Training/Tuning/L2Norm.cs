using System.Numerics;
using System.Runtime.InteropServices;

namespace LlavaCluster.Training.Tuning;

/// <summary>The L2 norm of many numbers, summed in double: libtorch's sum in float32 is off in the fifth digit over a million, and depends on its threads.</summary>
internal static class L2Norm
{
    public static double Of(ReadOnlySpan<float> values)
    {
        var vectors = MemoryMarshal.Cast<float, Vector<float>>(values);
        var (low, high) = (Vector<double>.Zero, Vector<double>.Zero);
        foreach (var vector in vectors)
        {
            Vector.Widen(vector, out var first, out var second);
            low += first * first;
            high += second * second;
        }

        var sum = Vector.Sum(low + high);
        foreach (var value in values[(vectors.Length * Vector<float>.Count)..])
        {
            sum += (double)value * value;
        }

        return Math.Sqrt(sum);
    }
}
