using System.Diagnostics.CodeAnalysis;

namespace LlavaCluster.Abstractions.Identity;

/// <summary>
/// A tenant's name: 1 to 64 of a-z, 0-9, '-' and '_'. It starts every tenant-scoped grain key and storage path, so it can hold no '/'.
/// Made only from an authenticated principal or by an operator, never from a request's own text.
/// </summary>
[GenerateSerializer, Immutable, Alias("llava.tenant-id")]
public readonly record struct TenantId
{
    private TenantId(string value) => Value = value;

    /// <summary>The tenant of a server that listens on loopback without keys.</summary>
    public static TenantId Default { get; } = new("default");

    [Id(0)]
    public string Value { get; }

    public static bool TryParse(string? text, [NotNullWhen(true)] out TenantId? tenant)
    {
        tenant = text is { Length: > 0 and <= 64 } && text.All(c => c is (>= 'a' and <= 'z') or (>= '0' and <= '9') or '-' or '_')
            ? new TenantId(text)
            : null;
        return tenant is not null;
    }

    public static TenantId Parse(string text) =>
        TryParse(text, out var tenant) ? tenant.Value : throw new FormatException($"A tenant name must be 1 to 64 of a-z, 0-9, '-', '_'; was \"{text}\".");

    public override string ToString() => Value;
}
