using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace LlavaCluster.Training.Distributed;

internal static class VectorSums
{
    /// <summary>Adds each of the others to the one at its place. Compiled well at once: it runs for as long as its data travels.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Add(Span<float> values, ReadOnlySpan<float> others)
    {
        var wide = MemoryMarshal.Cast<float, Vector<float>>(values);
        var wideOthers = MemoryMarshal.Cast<float, Vector<float>>(others[..values.Length]);
        for (var i = 0; i < wide.Length; i++)
        {
            wide[i] += wideOthers[i];
        }

        for (var i = wide.Length * Vector<float>.Count; i < values.Length; i++)
        {
            values[i] += others[i];
        }
    }
}
