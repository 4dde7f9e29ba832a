using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace LlavaCluster.Training.Distributed;

/// <summary>
/// What a connecting member says first: mark (8 bytes), SHA-256 of the group's name (32), generation (8), its rank (4), the rank it looks for (4), members (4), nonce (32).
/// Nothing in it is secret, and nothing is believed before the proof.
/// </summary>
internal sealed class RingHello
{
    public const int Bytes = 92;
    public const int NonceBytes = 32;

    private const int GroupAt = 8;
    private const int GenerationAt = 40;
    private const int NonceAt = 60;

    private readonly byte[] _bytes;

    /// <summary>As it was received.</summary>
    public RingHello(byte[] bytes) => _bytes = bytes;

    private static ReadOnlySpan<byte> Mark => "llring/1"u8;

    public ReadOnlyMemory<byte> Memory => _bytes;

    public ReadOnlySpan<byte> Span => _bytes;

    /// <summary>Of a member to its next, with a fresh nonce.</summary>
    public static RingHello From(RingMembership member)
    {
        var hello = new RingHello(new byte[Bytes]);
        hello.Describe(member, member.Rank, member.Next);
        RandomNumberGenerator.Fill(hello._bytes.AsSpan(NonceAt));
        return hello;
    }

    /// <summary>Whether it is what a member awaits of its previous, nonce aside.</summary>
    public bool IsFor(RingMembership member)
    {
        var due = new RingHello(new byte[Bytes]);
        due.Describe(member, member.Previous, member.Rank);
        return Span[..NonceAt].SequenceEqual(due.Span[..NonceAt]);
    }

    private void Describe(RingMembership member, int from, int to)
    {
        Mark.CopyTo(_bytes);
        SHA256.HashData(Encoding.UTF8.GetBytes(member.Group), _bytes.AsSpan(GroupAt));
        var rest = _bytes.AsSpan(GenerationAt);
        BinaryPrimitives.WriteInt64LittleEndian(rest, member.Generation);
        BinaryPrimitives.WriteInt32LittleEndian(rest[8..], from);
        BinaryPrimitives.WriteInt32LittleEndian(rest[12..], to);
        BinaryPrimitives.WriteInt32LittleEndian(rest[16..], member.Size);
    }
}
