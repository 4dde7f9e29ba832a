using System.Runtime.InteropServices;

namespace LlavaCluster.Engine.Caching;

/// <summary>A 256-bit SHA-256 value that names cached content. Two keys are equal only where all 256 bits are.</summary>
internal readonly record struct CacheKey(ulong A, ulong B, ulong C, ulong D)
{
    public const int Size = 32;

    public static CacheKey Read(ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes.Length, Size);
        return MemoryMarshal.Read<CacheKey>(bytes);
    }

    public void Write(Span<byte> destination) => MemoryMarshal.Write(destination, in this);

    /// <summary>The key's own bits are uniform, so one word of them is already a good hash.</summary>
    public override int GetHashCode() => A.GetHashCode();
}
