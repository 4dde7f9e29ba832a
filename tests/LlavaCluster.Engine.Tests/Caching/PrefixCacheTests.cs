using CsCheck;
using LlavaCluster.Engine.Caching;

namespace LlavaCluster.Engine.Tests.Caching;

public sealed class PrefixCacheTests
{
    private readonly BlockAllocator _allocator = new(4);
    private readonly PrefixCache _cache;

    public PrefixCacheTests() => _cache = new PrefixCache(_allocator);

    [Fact]
    public void Match_OfKnownKeys_HoldsTheirBlocksUpToTheFirstUnknownOne()
    {
        var table = Cached("a", 1, 2, 3);
        table.Clear();
        var found = new BlockTable(_allocator);

        Assert.Equal(2, _cache.Match([Key(1), Key(2), Key(9), Key(3)], found));
        Assert.Equal((2, 2), (found.Count, _allocator.Held));
    }

    [Fact]
    public void Insert_OfAKeyThatAnotherBlockHas_ChangesNothing()
    {
        var first = Cached("a", 1);
        var second = Cached("a", 1);
        second.Clear();

        var found = new BlockTable(_allocator);
        Assert.Equal(1, _cache.Match([Key(1)], found));
        Assert.Equal(first.Blocks[0], found.Blocks[0]);
        // The second block was worthless once it was released.
        Assert.Equal((1, 0), (_cache.Count, _allocator.Kept));
    }

    [Fact]
    public void Allocate_WhenOnlyKeptBlocksAreLeft_ForgetsTheEndOfAPrefixFirst()
    {
        Cached("a", 1, 2, 3, 4).Clear();
        Assert.True(_allocator.TryAllocate(out _));
        Assert.Equal([true, true, true, false], new[] { 1, 2, 3, 4 }.Select(value => _cache.Contains(Key(value))));
    }

    [Fact]
    public void RemoveOwnedBy_GivesBackWhatNobodyHoldsAndLeavesOtherTenantsAlone()
    {
        var held = Cached("a", 1);
        Cached("a", 2).Clear();
        Cached("b", 3).Clear();

        Assert.Equal(2, _cache.RemoveOwnedBy("a"));
        Assert.Equal([false, false, true], new[] { 1, 2, 3 }.Select(value => _cache.Contains(Key(value))));
        held.Clear();
        Assert.Equal((0, 1), (_allocator.Held, _allocator.Kept));
    }

    [Fact]
    public void AnyWork_NeverFindsABlockUnderAnotherContentAndLosesNone() =>
        Gen.Select(Gen.Int[0, 3], Gen.Int[1, 5]).Array[1, 60].Sample(
            steps =>
            {
                var allocator = new BlockAllocator(6);
                var cache = new PrefixCache(allocator);
                var content = new int[6];
                var tables = new Queue<BlockTable>();
                foreach (var (kind, value) in steps)
                {
                    var table = new BlockTable(allocator);
                    var keys = Enumerable.Range(1, value).Select(Key).ToArray();
                    var matched = cache.Match(keys, table);
                    Assert.All(Enumerable.Range(0, matched), i => Assert.Equal(i + 1, content[table.Blocks[i]]));
                    if (kind == 0 || !table.TryGrow(value))
                    {
                        table.Clear();
                        if (tables.TryDequeue(out var oldest))
                        {
                            oldest.Clear();
                        }

                        continue;
                    }

                    for (var i = matched; i < value; i++)
                    {
                        content[table.Blocks[i]] = i + 1;
                        cache.Insert(keys[i], table.Blocks[i], kind == 1 ? "a" : "b");
                    }

                    tables.Enqueue(table);
                    if (kind == 3)
                    {
                        cache.RemoveOwnedBy("a");
                    }
                }

                foreach (var table in tables)
                {
                    table.Clear();
                }

                Assert.Equal((0, 6), (allocator.Held, allocator.Available));
                Assert.Equal(cache.Count, allocator.Kept);
            },
            iter: 500, threads: 1);

    private static CacheKey Key(int value) => new((ulong)value, 0, 0, 0);

    private BlockTable Cached(string owner, params int[] values)
    {
        var table = new BlockTable(_allocator);
        Assert.True(table.TryGrow(values.Length));
        for (var i = 0; i < values.Length; i++)
        {
            _cache.Insert(Key(values[i]), table.Blocks[i], owner);
        }

        return table;
    }
}
