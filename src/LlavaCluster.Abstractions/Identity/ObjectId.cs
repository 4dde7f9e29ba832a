using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace LlavaCluster.Abstractions.Identity;

/// <summary>A stored object: the SHA-256 of its bytes as 64 lower-case hexadecimal digits. Meaningful only within a tenant.</summary>
[GenerateSerializer, Immutable, Alias("llava.object-id")]
public readonly record struct ObjectId
{
    private ObjectId(string value) => Value = value;

    [Id(0)]
    public string Value { get; }

    public static ObjectId Of(ReadOnlySpan<byte> bytes) => OfHash(SHA256.HashData(bytes));

    /// <param name="hash">The SHA-256 of the object's bytes.</param>
    public static ObjectId OfHash(ReadOnlySpan<byte> hash) =>
        hash.Length == SHA256.HashSizeInBytes ? new(Convert.ToHexStringLower(hash)) : throw new ArgumentException($"A SHA-256 has {SHA256.HashSizeInBytes} bytes; had {hash.Length}.", nameof(hash));

    public static bool TryParse(string? text, [NotNullWhen(true)] out ObjectId? id)
    {
        id = text is { Length: 64 } && text.All(char.IsAsciiHexDigitLower) ? new ObjectId(text) : null;
        return id is not null;
    }

    public static ObjectId Parse(string text) =>
        TryParse(text, out var id) ? id.Value : throw new FormatException($"An object's id must be 64 lower-case hexadecimal digits; was \"{text}\".");

    public override string ToString() => Value;
}
