using System.Diagnostics.CodeAnalysis;

namespace LlavaCluster.Abstractions.Identity;

/// <summary>The grain key of a fine-tuning job, <c>{tenant}/{id}</c>. The id is <c>ftjob-</c> and 32 hexadecimal digits.</summary>
[GenerateSerializer, Immutable, Alias("llava.training-job-key")]
public readonly record struct TrainingJobKey
{
    private const string Prefix = "ftjob-";
    private const int Digits = 32;

    private TrainingJobKey(TenantId tenant, string id)
    {
        Tenant = tenant;
        Id = id;
    }

    [Id(0)]
    public TenantId Tenant { get; }

    [Id(1)]
    public string Id { get; }

    public static bool TryCreate(TenantId tenant, string? id, [NotNullWhen(true)] out TrainingJobKey? key)
    {
        var isId = id is { Length: 38 } && id.StartsWith(Prefix, StringComparison.Ordinal) && id.AsSpan(Prefix.Length).IndexOfAnyExcept("0123456789abcdef") < 0;
        key = isId ? new TrainingJobKey(tenant, id!) : null;
        return key is not null;
    }

    /// <summary>Ids made later sort later, to the millisecond.</summary>
    public static TrainingJobKey New(TenantId tenant) => new(tenant, Prefix + Guid.CreateVersion7().ToString("n"));

    public static TrainingJobKey Parse(string grainKey)
    {
        var slash = grainKey.IndexOf('/', StringComparison.Ordinal);
        return slash > 0 && TryCreate(TenantId.Parse(grainKey[..slash]), grainKey[(slash + 1)..], out var key)
            ? key.Value
            : throw new FormatException($"A job's grain key must be tenant/{Prefix} and {Digits} hexadecimal digits; was \"{grainKey}\".");
    }

    public override string ToString() => $"{Tenant.Value}/{Id}";
}
