using System.Runtime.InteropServices;
using LlavaCluster.Engine.Scheduling;

namespace LlavaCluster.Engine.Caching;

/// <summary>
/// The keys of one sequence's full blocks, computed when first asked for and kept: tokens are only ever appended.
/// key(i) = SHA-256(key(i-1), public?, salt, adapter, tokens of block i, every image that overlaps it with its offset).
/// </summary>
internal sealed class BlockKeyChain(KeyHasher hasher, CacheScope scope, int blockSize)
{
    private readonly List<CacheKey> _keys = [];

    /// <summary>Keys of the first <paramref name="blocks"/> blocks, all of them full.</summary>
    public ReadOnlySpan<CacheKey> First(int blocks, ReadOnlySpan<int> tokens, ReadOnlySpan<ImageSpan> images)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(blocks * blockSize, tokens.Length);
        while (_keys.Count < blocks)
        {
            _keys.Add(Next(tokens, images));
        }

        return CollectionsMarshal.AsSpan(_keys)[..blocks];
    }

    private CacheKey Next(ReadOnlySpan<int> tokens, ReadOnlySpan<ImageSpan> images)
    {
        var start = _keys.Count * blockSize;
        var isPublic = start + blockSize <= scope.PublicTokens;
        hasher.Begin("kv-block/1"u8)
            .Add(_keys.Count == 0 ? null : _keys[^1])
            .Add(isPublic ? 1 : 0)
            .Add(isPublic ? default : scope.Salt.Span)
            .Add(scope.Adapter.Span)
            .Add(tokens.Slice(start, blockSize));
        foreach (var image in images)
        {
            if (image.Start < start + blockSize && image.End > start)
            {
                hasher.Add((CacheKey?)image.Key).Add(image.Start - start).Add(image.Tokens);
            }
        }

        return hasher.End();
    }
}
