using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

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

    /// <summary>Two dimensions of 16 tokens, as <see cref="StoreKey"/> puts them side by side.</summary>
    static abstract void LoadPairs(T* from, out Vector512<float> even, out Vector512<float> odd);

    /// <summary>Puts 32 numbers where <see cref="LoadPairs"/> finds the first 16 as the even ones and the others as the odd.</summary>
    static abstract void StorePairs(float* from, T* to);

    /// <summary>16 dimensions, from the given one on, of an even token and of the next.</summary>
    static abstract void LoadTokens(T* block, int dimension, int token, int dimensions, out Vector512<float> even, out Vector512<float> odd);

    /// <summary>Puts a token's key where <see cref="LoadPairs"/> finds it; nothing else is touched, so that other threads may write other tokens.</summary>
    static abstract void StoreKey(float* key, T* block, int token, int dimensions);

    /// <summary>Puts a token's value where <see cref="LoadTokens"/> finds it, as <see cref="StoreKey"/> does.</summary>
    /// <param name="alone">For an even token: the next one becomes 0.</param>
    static abstract void StoreValue(float* value, T* block, int token, int dimensions, bool alone);
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

    // A pair is one word: the even dimension its lower half.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPairs(ushort* from, out Vector512<float> even, out Vector512<float> odd)
    {
        var pairs = Vector512.Load((uint*)from);
        even = (pairs << Bits).AsSingle();
        odd = (pairs & Vector512.Create(0xFFFF0000)).AsSingle();
    }

    public static void StorePairs(float* from, ushort* to)
    {
        var mixed = stackalloc float[2 * Tokens];
        for (var i = 0; i < Tokens; i++)
        {
            (mixed[2 * i], mixed[(2 * i) + 1]) = (from[i], from[Tokens + i]);
        }

        RowKernels.Store<BFloat16Element, ushort>(mixed, to, 2 * Tokens);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadTokens(ushort* block, int dimension, int token, int dimensions, out Vector512<float> even, out Vector512<float> odd) =>
        LoadPairs(block + Paired(dimension, token, dimensions), out even, out odd);

    private static int Paired(int dimension, int token, int dimensions) => (((token / 2 * dimensions) + dimension) * 2) + (token % 2);

    public static void StoreKey(float* key, ushort* block, int token, int dimensions)
    {
        var pairs = stackalloc uint[dimensions / 2];
        RowKernels.Store<BFloat16Element, ushort>(key, (ushort*)pairs, dimensions);
        for (var pair = 0; pair < dimensions / 2; pair++)
        {
            ((uint*)block)[(pair * Tokens) + token] = pairs[pair];
        }
    }

    public static void StoreValue(float* value, ushort* block, int token, int dimensions, bool alone)
    {
        var halves = stackalloc ushort[dimensions];
        RowKernels.Store<BFloat16Element, ushort>(value, halves, dimensions);
        var target = block + Paired(0, token, dimensions);
        if (alone && token % 2 == 0)
        {
            for (var i = 0; i < dimensions; i++)
            {
                ((uint*)target)[i] = halves[i];
            }

            return;
        }

        for (var i = 0; i < dimensions; i++)
        {
            target[2 * i] = halves[i];
        }
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPairs(float* from, out Vector512<float> even, out Vector512<float> odd)
    {
        even = Vector512.Load(from);
        odd = Vector512.Load(from + Tokens);
    }

    public static void StorePairs(float* from, float* to) => new ReadOnlySpan<float>(from, 2 * Tokens).CopyTo(new Span<float>(to, 2 * Tokens));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadTokens(float* block, int dimension, int token, int dimensions, out Vector512<float> even, out Vector512<float> odd)
    {
        even = Vector512.Load(block + Paired(dimension, token, dimensions));
        odd = Vector512.Load(block + Paired(dimension, token + 1, dimensions));
    }

    private static int Paired(int dimension, int token, int dimensions) => (token * dimensions) + dimension;

    public static void StoreKey(float* key, float* block, int token, int dimensions)
    {
        for (var i = 0; i < dimensions; i++)
        {
            block[(i * Tokens) + token] = key[i];
        }
    }

    public static void StoreValue(float* value, float* block, int token, int dimensions, bool alone)
    {
        var target = block + Paired(0, token, dimensions);
        new ReadOnlySpan<float>(value, dimensions).CopyTo(new Span<float>(target, dimensions));
        if (alone && token % 2 == 0)
        {
            new Span<float>(target + dimensions, dimensions).Clear();
        }
    }
}
