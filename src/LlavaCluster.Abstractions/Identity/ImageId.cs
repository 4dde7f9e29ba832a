using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace LlavaCluster.Abstractions.Identity;

/// <summary>An uploaded picture: the SHA-256 of its bytes as 64 lower-case hexadecimal digits. Meaningful only within a tenant.</summary>
[GenerateSerializer, Immutable, Alias("llava.image-id")]
public readonly record struct ImageId
{
    private ImageId(string value) => Value = value;

    [Id(0)]
    public string Value { get; }

    public static ImageId Of(ReadOnlySpan<byte> bytes) => new(Convert.ToHexStringLower(SHA256.HashData(bytes)));

    public static bool TryParse(string? text, [NotNullWhen(true)] out ImageId? id)
    {
        id = text is { Length: 64 } && text.All(char.IsAsciiHexDigitLower) ? new ImageId(text) : null;
        return id is not null;
    }

    /// <summary>The picture among the tenant's stored objects.</summary>
    public ObjectId Object => ObjectId.Parse(Value);

    public override string ToString() => Value;
}
