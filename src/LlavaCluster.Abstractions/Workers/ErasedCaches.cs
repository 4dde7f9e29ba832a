namespace LlavaCluster.Abstractions.Workers;

/// <summary>What engines kept of a tenant and let go of.</summary>
/// <param name="Blocks">Of the KV cache.</param>
/// <param name="Images">Whose features were kept.</param>
[GenerateSerializer, Immutable, Alias("llava.erased-caches")]
public readonly record struct ErasedCaches([property: Id(0)] long Blocks, [property: Id(1)] long Images, [property: Id(2)] long Adapters)
{
    public static ErasedCaches operator +(ErasedCaches first, ErasedCaches second) =>
        new(first.Blocks + second.Blocks, first.Images + second.Images, first.Adapters + second.Adapters);
}
