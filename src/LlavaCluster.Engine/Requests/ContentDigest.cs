using System.Security.Cryptography;
using LlavaCluster.Engine.Caching;

namespace LlavaCluster.Engine;

/// <summary>The SHA-256 digest that names an image's bytes, an adapter or a preprocessing recipe.</summary>
public readonly record struct ContentDigest
{
    private readonly CacheKey _bits;

    /// <param name="bytes">Exactly 32 bytes.</param>
    public ContentDigest(ReadOnlySpan<byte> bytes) => _bits = CacheKey.Read(bytes);

    public static ContentDigest Of(ReadOnlySpan<byte> content)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(content, hash);
        return new ContentDigest(hash);
    }

    /// <summary>Reads 64 hexadecimal digits.</summary>
    /// <exception cref="FormatException">It is something else.</exception>
    public static ContentDigest Parse(string hex)
    {
        var bytes = Convert.FromHexString(hex);
        return bytes.Length == CacheKey.Size ? new ContentDigest(bytes) : throw new FormatException($"A digest has 64 hexadecimal digits; there were {hex.Length}.");
    }

    public byte[] ToBytes()
    {
        var bytes = new byte[CacheKey.Size];
        _bits.Write(bytes);
        return bytes;
    }

    public override string ToString() => Convert.ToHexStringLower(ToBytes());
}
