using System.Buffers.Binary;
using System.Security.Authentication;
using System.Security.Cryptography;

namespace LlavaCluster.Training.Distributed;

/// <summary>
/// Both ends prove that they know the group's secret, without saying it:
/// <code>
/// connector -> acceptor   hello, with the connector's nonce
/// acceptor -> connector   the acceptor's nonce, HMAC-SHA256(secret, "acceptor" hello nonce)
/// connector -> acceptor   HMAC-SHA256(secret, "connector" hello nonce)
/// acceptor -> connector   one byte: admitted
/// </code>
/// Every proof covers group, generation, both ranks and both nonces, so none serves twice. A stranger gets to send 124 bytes, and to hear a nonce only if it names a group
/// that is forming. Deadlines are the caller's tokens.
/// </summary>
internal static class RingHandshake
{
    private const int ProofBytes = HMACSHA256.HashSizeInBytes;
    private const byte Admitted = 1;

    /// <summary>The connector's side; returns the seed of the connection's checksums.</summary>
    /// <exception cref="AuthenticationException">The acceptor does not know the secret.</exception>
    /// <exception cref="IOException">It does not await this member, or not now.</exception>
    public static async Task<ulong> IntroduceAsync(Stream stream, RingMembership member, CancellationToken cancellationToken)
    {
        var hello = RingHello.From(member);
        await stream.WriteAsync(hello.Memory, cancellationToken).ConfigureAwait(false);
        var answer = new byte[RingHello.NonceBytes + ProofBytes];
        await stream.ReadExactlyAsync(answer, cancellationToken).ConfigureAwait(false);
        var nonce = answer[..RingHello.NonceBytes];
        if (!CryptographicOperations.FixedTimeEquals(Prove(member, "acceptor"u8, hello, nonce), answer.AsSpan(RingHello.NonceBytes)))
        {
            throw new AuthenticationException($"Whoever listens for rank {member.Next} does not know the group's secret.");
        }

        await stream.WriteAsync(Prove(member, "connector"u8, hello, nonce), cancellationToken).ConfigureAwait(false);
        await stream.ReadExactlyAsync(new byte[1], cancellationToken).ConfigureAwait(false);
        return SeedOf(member, hello, nonce);
    }

    /// <summary>The acceptor's side up to the proof; null for a stranger, else who awaits the connector and the seed of the connection's checksums.</summary>
    /// <param name="find">Who awaits this hello, null for nobody.</param>
    public static async Task<(RingExpectation Expectation, ulong Seed)?> ExamineAsync(Stream stream, Func<RingHello, RingExpectation?> find, CancellationToken cancellationToken)
    {
        var said = new byte[RingHello.Bytes];
        await stream.ReadExactlyAsync(said, cancellationToken).ConfigureAwait(false);
        var hello = new RingHello(said);
        if (find(hello) is not { } expectation)
        {
            return null;
        }

        var member = expectation.Member;
        var nonce = RandomNumberGenerator.GetBytes(RingHello.NonceBytes);
        await stream.WriteAsync((byte[])[.. nonce, .. Prove(member, "acceptor"u8, hello, nonce)], cancellationToken).ConfigureAwait(false);
        var proof = new byte[ProofBytes];
        await stream.ReadExactlyAsync(proof, cancellationToken).ConfigureAwait(false);
        return CryptographicOperations.FixedTimeEquals(Prove(member, "connector"u8, hello, nonce), proof) ? (expectation, SeedOf(member, hello, nonce)) : null;
    }

    public static ValueTask AdmitAsync(Stream stream, CancellationToken cancellationToken) => stream.WriteAsync((byte[])[Admitted], cancellationToken);

    private static byte[] Prove(RingMembership member, ReadOnlySpan<byte> side, RingHello hello, ReadOnlySpan<byte> nonce) =>
        HMACSHA256.HashData(member.Secret.Span, (byte[])[.. side, .. hello.Span, .. nonce]);

    private static ulong SeedOf(RingMembership member, RingHello hello, ReadOnlySpan<byte> nonce) =>
        BinaryPrimitives.ReadUInt64LittleEndian(Prove(member, "frames"u8, hello, nonce));
}
