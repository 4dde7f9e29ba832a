using CsCheck;
using LlavaCluster.Engine.Caching;

namespace LlavaCluster.Engine.Tests.Caching;

public sealed class ImageFeatureCacheTests
{
    [Fact]
    public void TryReserve_WhenEverythingIsReferenced_ReturnsFalseAndKeepsState()
    {
        var cache = new ImageFeatureCache(10);
        Reserve(cache, 1, 6);
        Assert.False(cache.TryReserve(Key(2), 5, "a", out _));
        Assert.Equal((6, 1, 1), (cache.UsedTokens, cache.Count, cache.References));
    }

    [Fact]
    public void TryReserve_WhenUnreferencedOnesAreInTheWay_EvictsTheOldestAndReportsItsSlot()
    {
        var cache = new ImageFeatureCache(10);
        var (first, second) = (Reserve(cache, 1, 5), Reserve(cache, 2, 5));
        cache.MarkReady(first);
        cache.MarkReady(second);
        cache.Release(first);
        cache.Release(second);
        Assert.True(cache.TryReserve(Key(3), 5, "a", out var third));
        var dropped = new List<int>();
        cache.TakeDropped(dropped);
        Assert.Equal([first], dropped);
        Assert.Equal(first, third);
        Assert.True(cache.TryAcquire(Key(2), out _));
        Assert.False(cache.TryAcquire(Key(1), out _));
    }

    [Fact]
    public void MarkFailed_HidesTheEntryAndDropsItWithItsLastReference()
    {
        var cache = new ImageFeatureCache(10);
        var slot = Reserve(cache, 1, 5);
        cache.MarkFailed(slot);
        Assert.False(cache.TryAcquire(Key(1), out _));
        Assert.Equal(5, cache.UsedTokens);
        cache.Release(slot);
        Assert.Equal(0, cache.UsedTokens);
    }

    [Fact]
    public void RemoveOwnedBy_RemovesOneTenantOnly()
    {
        var cache = new ImageFeatureCache(10);
        var (mine, other) = (Reserve(cache, 1, 2), Reserve(cache, 2, 2, "b"));
        cache.MarkReady(mine);
        cache.MarkReady(other);
        cache.Release(mine);
        Assert.Equal(1, cache.RemoveOwnedBy("a"));
        Assert.False(cache.Contains(Key(1)));
        Assert.True(cache.Contains(Key(2)));
        Assert.Equal(2, cache.UsedTokens);
    }

    [Fact]
    public void Run_AnyOperations_NeverExceedsTheBudgetAndEndsEmpty() =>
        Gen.Select(Gen.Int[0, 3], Gen.Int[0, 6], Gen.Int[1, 6]).Array[0, 200].Sample(operations =>
        {
            var cache = new ImageFeatureCache(12);
            var held = new List<int>();
            foreach (var (operation, key, tokens) in operations)
            {
                if (operation == 0 && cache.TryAcquire(Key(key), out var slot))
                {
                    held.Add(slot);
                }
                else if (operation == 1 && !cache.Contains(Key(key)) && cache.TryReserve(Key(key), tokens, $"t{key % 2}", out slot))
                {
                    cache.MarkArriving(slot);
                    Assert.True(cache.TryAcquire(Key(key), out var acquired) && acquired == slot);
                    held.Add(slot);
                    if (tokens == 6)
                    {
                        cache.MarkFailed(slot);
                    }
                    else
                    {
                        cache.MarkReady(slot);
                    }
                }
                else if (operation == 2 && held.Count > 0)
                {
                    cache.Release(held[key % held.Count]);
                    held.RemoveAt(key % held.Count);
                }
                else if (operation == 3)
                {
                    cache.RemoveOwnedBy($"t{key % 2}");
                }

                Assert.InRange(cache.UsedTokens, 0, 12);
                Assert.Equal(held.Count, cache.References);
            }

            held.ForEach(cache.Release);
            cache.RemoveOwnedBy("t0");
            cache.RemoveOwnedBy("t1");
            Assert.Equal((0, 0), (cache.UsedTokens, cache.Count));
        });

    [Fact]
    public void TryReserve_IsFoundOnlyFromTheStepThatComputesItAndIsNotEvictedBefore()
    {
        var cache = new ImageFeatureCache(10);
        Assert.True(cache.TryReserve(Key(1), 6, "a", out var slot));
        Assert.Equal((true, false, false), (cache.Contains(Key(1)), cache.IsReadable(Key(1)), cache.TryAcquire(Key(1), out _)));
        Assert.False(cache.TryReserve(Key(2), 6, "a", out _));
        cache.MarkArriving(slot);
        Assert.True(cache.TryAcquire(Key(1), out var acquired));
        Assert.Equal(slot, acquired);
        cache.MarkReady(slot);
        cache.Release(slot);
        Assert.True(cache.TryReserve(Key(2), 6, "a", out _));
    }

    [Fact]
    public void MarkFailed_OfAnEntryThatNobodyReads_DropsItAtOnce()
    {
        var cache = new ImageFeatureCache(10);
        cache.TryReserve(Key(1), 6, "a", out var slot);
        cache.MarkFailed(slot);
        Assert.Equal((0, 0), (cache.UsedTokens, cache.Count));
    }

    /// <summary>An entry that this step computes, with one reference.</summary>
    private static int Reserve(ImageFeatureCache cache, int key, int tokens, string owner = "a")
    {
        Assert.True(cache.TryReserve(Key(key), tokens, owner, out var slot));
        cache.MarkArriving(slot);
        Assert.True(cache.TryAcquire(Key(key), out var acquired));
        Assert.Equal(slot, acquired);
        return slot;
    }

    private static CacheKey Key(int value) => new((ulong)value, 0, 0, 0);
}
