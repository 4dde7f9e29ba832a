using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace LlavaCluster.Model.Kernels;

/// <summary>
/// How numbers lie in memory between our kernels, which compute in float32: as bfloat16, half the memory, or as float32, exactly.
/// </summary>
internal unsafe interface IElement<T>
    where T : unmanaged
{
    /// <summary>2 * Vector&lt;float&gt;.Count elements as a pair of vectors, in order.</summary>
    static abstract void Load(T* from, out Vector<float> low, out Vector<float> high);

    /// <summary>2 * Vector&lt;float&gt;.Count elements, rounded to the nearest, ties to even.</summary>
    static abstract void Store(T* to, Vector<float> low, Vector<float> high);

    /// <summary>16 elements.</summary>
    static abstract Vector512<float> Load(T* from);

    /// <summary>Two dimensions of 16 tokens, as <see cref="Interleaved"/> puts them side by side.</summary>
    static abstract void LoadPairs(T* from, out Vector512<float> even, out Vector512<float> odd);

    /// <summary>Where a dimension of one of 16 tokens lies, so that <see cref="LoadPairs"/> finds it.</summary>
    static abstract int Interleaved(int dimension, int token);

    /// <summary>16 dimensions, from the given one on, of an even token and of the next.</summary>
    static abstract void LoadTokens(T* block, int dimension, int token, int dimensions, out Vector512<float> even, out Vector512<float> odd);

    /// <summary>Where a dimension of one of 16 tokens lies, so that <see cref="LoadTokens"/> finds it.</summary>
    static abstract int Paired(int dimension, int token, int dimensions);

    /// <summary>Rounded to the nearest, ties to even.</summary>
    static abstract T Round(float value);
}

/// <summary>The upper half of a float32.</summary>
internal readonly unsafe struct BFloat16Element : IElement<ushort>
{
    private const int Bits = 16;
    private const int Tokens = 16;
    private const uint HalfStep = 0x7FFF;

    public static void Load(ushort* from, out Vector<float> low, out Vector<float> high)
    {
        Vector.Widen(Vector.Load(from), out var first, out var second);
        low = Vector.AsVectorSingle(first << Bits);
        high = Vector.AsVectorSingle(second << Bits);
    }

    public static void Store(ushort* to, Vector<float> low, Vector<float> high) => Vector.Narrow(Rounded(low), Rounded(high)).Store(to);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(ushort* from)
    {
        var sixteen = Vector256.Load(from);
        var words = Avx512F.IsSupported ? Avx512F.ConvertToVector512UInt32(sixteen) : Vector512.Create(Vector256.WidenLower(sixteen), Vector256.WidenUpper(sixteen));
        return (words << Bits).AsSingle();
    }

    // A pair is one word: the even dimension its lower half.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPairs(ushort* from, out Vector512<float> even, out Vector512<float> odd)
    {
        var pairs = Vector512.Load((uint*)from);
        even = (pairs << Bits).AsSingle();
        odd = (pairs & Vector512.Create(0xFFFF0000)).AsSingle();
    }

    public static int Interleaved(int dimension, int token) => (((dimension / 2 * Tokens) + token) * 2) + (dimension % 2);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadTokens(ushort* block, int dimension, int token, int dimensions, out Vector512<float> even, out Vector512<float> odd) =>
        LoadPairs(block + Paired(dimension, token, dimensions), out even, out odd);

    public static int Paired(int dimension, int token, int dimensions) => (((token / 2 * dimensions) + dimension) * 2) + (token % 2);

    public static ushort Round(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + HalfStep + ((bits >> Bits) & 1)) >> Bits);
    }

    private static Vector<uint> Rounded(Vector<float> value)
    {
        var bits = Vector.AsVectorUInt32(value);
        return (bits + new Vector<uint>(HalfStep) + ((bits >> Bits) & Vector<uint>.One)) >> Bits;
    }
}

/// <summary>As it is.</summary>
internal readonly unsafe struct Float32Element : IElement<float>
{
    private const int Tokens = 16;

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

    public static Vector512<float> Load(float* from) => Vector512.Load(from);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPairs(float* from, out Vector512<float> even, out Vector512<float> odd)
    {
        even = Vector512.Load(from);
        odd = Vector512.Load(from + Tokens);
    }

    public static int Interleaved(int dimension, int token) => (dimension * Tokens) + token;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadTokens(float* block, int dimension, int token, int dimensions, out Vector512<float> even, out Vector512<float> odd)
    {
        even = Vector512.Load(block + Paired(dimension, token, dimensions));
        odd = Vector512.Load(block + Paired(dimension, token + 1, dimensions));
    }

    public static int Paired(int dimension, int token, int dimensions) => (token * dimensions) + dimension;

    public static float Round(float value) => value;
}
