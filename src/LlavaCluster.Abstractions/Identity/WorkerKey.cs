namespace LlavaCluster.Abstractions.Identity;

/// <summary>A device of a worker silo, <c>{silo}/{device}</c>: a place, not an identity. The silo's name keeps across its restarts.</summary>
[GenerateSerializer, Immutable, Alias("llava.worker-key")]
public readonly record struct WorkerKey([property: Id(0)] string Silo, [property: Id(1)] int Device)
{
    public static WorkerKey Parse(string grainKey)
    {
        var slash = grainKey.LastIndexOf('/');
        return slash > 0 && int.TryParse(grainKey.AsSpan(slash + 1), out var device)
            ? new WorkerKey(grainKey[..slash], device)
            : throw new FormatException($"A worker's grain key must be silo/device; was \"{grainKey}\".");
    }

    public override string ToString() => $"{Silo}/{Device}";
}
