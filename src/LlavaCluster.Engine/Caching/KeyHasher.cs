using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace LlavaCluster.Engine.Caching;

/// <summary>
/// Builds a <see cref="CacheKey"/> from fields. Every field is written with its length before it, so that no two
/// different lists of fields give the same bytes. One thread; the buffer is reused.
/// </summary>
internal sealed class KeyHasher
{
    private byte[] _buffer = new byte[512];
    private int _length;

    /// <summary>Starts a key of one kind; keys of different kinds never meet.</summary>
    public KeyHasher Begin(ReadOnlySpan<byte> kind)
    {
        _length = 0;
        return Add(kind);
    }

    public KeyHasher Add(ReadOnlySpan<byte> field)
    {
        var target = Reserve(sizeof(int) + field.Length);
        BinaryPrimitives.WriteInt32LittleEndian(target, field.Length);
        field.CopyTo(target[sizeof(int)..]);
        return this;
    }

    public KeyHasher Add(ReadOnlySpan<int> field) => Add(MemoryMarshal.AsBytes(field));

    public KeyHasher Add(int field) => Add([field]);

    public KeyHasher Add(CacheKey? field)
    {
        if (field is not { } key)
        {
            return Add(ReadOnlySpan<byte>.Empty);
        }

        Span<byte> bytes = stackalloc byte[CacheKey.Size];
        key.Write(bytes);
        return Add(bytes);
    }

    public CacheKey End()
    {
        Span<byte> hash = stackalloc byte[CacheKey.Size];
        SHA256.HashData(_buffer.AsSpan(0, _length), hash);
        return CacheKey.Read(hash);
    }

    private Span<byte> Reserve(int bytes)
    {
        if (_length + bytes > _buffer.Length)
        {
            Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, _length + bytes));
        }

        _length += bytes;
        return _buffer.AsSpan(_length - bytes, bytes);
    }
}
