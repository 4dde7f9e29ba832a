using CsCheck;
using LlavaCluster.Engine.Caching;

namespace LlavaCluster.Engine.Tests.Caching;

public sealed class BlockAllocatorTests
{
    [Fact]
    public void TryAllocate_WhenAllAreHeld_ReturnsFalseAndKeepsState()
    {
        var allocator = new BlockAllocator(2);
        Assert.True(allocator.TryAllocate(out var first));
        Assert.True(allocator.TryAllocate(out var second));
        Assert.NotEqual(first, second);
        Assert.False(allocator.TryAllocate(out _));
        Assert.Equal((0, 2), (allocator.Available, allocator.Held));
    }

    [Fact]
    public void TryAllocate_WhenOnlyKeptAreLeft_GivesTheOneReleasedLongestAgo()
    {
        var evicted = new List<int>();
        var allocator = new BlockAllocator(3) { Evicted = evicted.Add };
        var blocks = Enumerable.Range(0, 3).Select(_ => allocator.TryAllocate(out var block) ? block : -1).ToArray();
        foreach (var block in blocks)
        {
            allocator.Keep(block);
        }

        allocator.Release(blocks[1]);
        allocator.Release(blocks[0]);
        allocator.Release(blocks[2]);
        allocator.Retain(blocks[1]);
        Assert.True(allocator.TryAllocate(out var given));
        Assert.Equal(blocks[0], given);
        Assert.Equal([blocks[0]], evicted);
        Assert.Equal((1, 1), (allocator.ReferencesOf(blocks[1]), allocator.Available));
    }

    [Fact]
    public void Release_OfAFreeBlock_Throws()
    {
        var allocator = new BlockAllocator(1);
        allocator.TryAllocate(out var block);
        allocator.Release(block);
        Assert.Throws<InvalidOperationException>(() => allocator.Release(block));
        Assert.Throws<InvalidOperationException>(() => allocator.Retain(block));
    }

    [Fact]
    public void Run_AnyOperations_AgreesWithAModelOfCounts() =>
        Gen.Select(Gen.Int[0, 4], Gen.Int[0, 5]).Array[0, 200].Sample(operations =>
        {
            const int Total = 6;
            var (references, kept) = (new int[Total], new bool[Total]);
            var allocator = new BlockAllocator(Total) { Evicted = b => kept[b] = false };
            foreach (var (operation, block) in operations)
            {
                switch (operation)
                {
                    case 0 when allocator.TryAllocate(out var given):
                        Assert.Equal(0, references[given]);
                        Assert.False(kept[given]);
                        references[given] = 1;
                        break;
                    case 1 when references[block] > 0 || kept[block]:
                        allocator.Retain(block);
                        references[block]++;
                        break;
                    case 2 when references[block] > 0:
                        allocator.Release(block);
                        references[block]--;
                        break;
                    case 3 when references[block] > 0:
                        allocator.Keep(block);
                        kept[block] = true;
                        break;
                    case 4:
                        allocator.Discard(block);
                        kept[block] = false;
                        break;
                }

                Assert.Equal(references.Count(r => r > 0), allocator.Held);
                Assert.Equal(Enumerable.Range(0, Total).Count(b => references[b] == 0 && kept[b]), allocator.Kept);
            }
        });
}
