namespace LlavaCluster.Engine.Caching;

/// <summary>
/// Who may find a cached block: only requests with the same salt and the same adapter. The first <paramref name="PublicTokens"/> tokens are the
/// exception: blocks that lie wholly inside them leave the salt out.
/// </summary>
/// <param name="Owner">The tenant whose erasure removes what is cached.</param>
/// <param name="Salt">The tenant's secret, set by the server, never by a client.</param>
/// <param name="Adapter">Digest of the LoRA adapter; empty for the base model.</param>
internal sealed record CacheScope(string Owner, ReadOnlyMemory<byte> Salt, ReadOnlyMemory<byte> Adapter, int PublicTokens = 0);
