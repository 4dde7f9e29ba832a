using System.Numerics;

namespace LlavaCluster.Model.Kernels;

/// <summary>
/// How numbers lie in memory between our kernels, which compute in float32: as bfloat16, half the memory, or as float32, exactly. Both come in pairs of float32
/// vectors, in order.
/// </summary>
internal unsafe interface IElement<T>
    where T : unmanaged
{
    /// <summary>2 * Vector&lt;float&gt;.Count elements.</summary>
    static abstract void Load(T* from, out Vector<float> low, out Vector<float> high);

    /// <summary>2 * Vector&lt;float&gt;.Count elements, rounded to the nearest, ties to even.</summary>
    static abstract void Store(T* to, Vector<float> low, Vector<float> high);
}

/// <summary>The upper half of a float32.</summary>
internal readonly unsafe struct BFloat16Element : IElement<ushort>
{
    private const int Bits = 16;

    public static void Load(ushort* from, out Vector<float> low, out Vector<float> high)
    {
        Vector.Widen(Vector.Load(from), out var first, out var second);
        low = Vector.AsVectorSingle(first << Bits);
        high = Vector.AsVectorSingle(second << Bits);
    }

    public static void Store(ushort* to, Vector<float> low, Vector<float> high) => Vector.Narrow(Rounded(low), Rounded(high)).Store(to);

    private static Vector<uint> Rounded(Vector<float> value)
    {
        var bits = Vector.AsVectorUInt32(value);
        return (bits + new Vector<uint>(0x7FFF) + ((bits >> Bits) & Vector<uint>.One)) >> Bits;
    }
}

/// <summary>As it is.</summary>
internal readonly unsafe struct Float32Element : IElement<float>
{
    public static void Load(float* from, out Vector<float> low, out Vector<float> high)
    {
        low = Vector.Load(from);
        high = Vector.Load(from + Vector<float>.Count);
    }

    public static void Store(float* to, Vector<float> low, Vector<float> high)
    {
        low.Store(to);
        high.Store(to + Vector<float>.Count);
    }
}
