namespace LlavaCluster.Engine;

/// <summary>What was cached for a tenant and is no more.</summary>
/// <param name="Adapters">Taken from the device: those that nobody used and nobody else was known to have.</param>
public readonly record struct ErasedTenant(int Blocks, int Images, int Adapters);
