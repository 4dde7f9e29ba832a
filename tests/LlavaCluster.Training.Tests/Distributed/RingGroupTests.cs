using System.Runtime.InteropServices;
using CsCheck;
using LlavaCluster.Training.Distributed;

namespace LlavaCluster.Training.Tests.Distributed;

/// <summary>What a whole ring computes, over real sockets.</summary>
public sealed class RingGroupTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public async Task Sum_OfAnyVectors_IsTheSumInTheOrderOfTheRing(int size)
    {
        await using var ring = await TestRing.FormAsync(size);
        Gen.Select(Gen.OneOf(Gen.Int[0, 100], Gen.Int[3_000, 6_000], Gen.Int[300_000, 400_000]), Gen.Int).Sample(
            (length, seed) =>
            {
                var parts = Vectors(size, length, seed);
                var due = Reference(parts);
                var sums = parts.Select(part => (float[])part.Clone()).ToArray();
                ring.EachAsync(member => member.Sum(sums[member.Rank])).GetAwaiter().GetResult();
                return sums.All(sum => SameBits(sum, due));
            },
            iter: 40, threads: 1);
    }

    [Theory]
    [InlineData(2, 4_000_003)]
    [InlineData(3, 1)]
    [InlineData(4, 6_000_001)]
    [InlineData(5, 0)]
    public async Task Sum_AtTheExtremes_IsTheSameOnAllMembersAndTwice(int size, int length)
    {
        await using var ring = await TestRing.FormAsync(size);
        var parts = Vectors(size, length, seed: 1);
        var due = Reference(parts);
        for (var time = 0; time < 2; time++)
        {
            var sums = parts.Select(part => (float[])part.Clone()).ToArray();
            await ring.EachAsync(member => member.Sum(sums[member.Rank]));
            Assert.All(sums, sum => Assert.True(SameBits(sum, due)));
        }
    }

    [Fact]
    public async Task BytesSent_BySums_AreWhatARingNeeds()
    {
        await using var ring = await TestRing.FormAsync(4);
        var before = ring.Members[0].BytesSent;

        await ring.EachAsync(member => member.Sum(new float[1 << 20]));

        // Six turns of a quarter of 4 MiB, each four frames of 256 KiB.
        Assert.Equal(6 * 4 * ((256 << 10) + 40), ring.Members[0].BytesSent - before);
    }

    [Fact]
    public async Task Sum_InSteadyState_AllocatesNothing()
    {
        await using var ring = await TestRing.FormAsync(3);
        var allocated = new long[3];
        await ring.EachAsync(member =>
        {
            var (small, large) = (new float[1000], new float[1_000_000]);
            for (var round = 0; round < 20; round++)
            {
                if (round == 10)
                {
                    allocated[member.Rank] = -GC.GetAllocatedBytesForCurrentThread();
                }

                member.Sum(small);
                member.Sum(large);
            }

            allocated[member.Rank] += GC.GetAllocatedBytesForCurrentThread();
        });

        Assert.Equal([0, 0, 0], allocated);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1_000_001)]
    public async Task Broadcast_ReachesAllFromAnyMember(int length)
    {
        await using var ring = await TestRing.FormAsync(3);
        for (var from = 0; from < 3; from++)
        {
            var sent = new byte[length];
            new Random(from).NextBytes(sent);
            var streams = ring.Members.Select(member => member.Rank == from ? new MemoryStream(sent) : new MemoryStream()).ToArray();

            await ring.EachAsync(member => member.Broadcast(from, streams[member.Rank]));

            Assert.All(streams, stream => Assert.Equal(sent, stream.ToArray()));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public async Task AllGather_GivesNumbersInTheOrderOfTheRanks(int size)
    {
        await using var ring = await TestRing.FormAsync(size);
        var all = ring.Members.Select(_ => new long[2 * size]).ToArray();

        await ring.EachAsync(member => member.AllGather([member.Rank, 100 - member.Rank], all[member.Rank]));

        Assert.All(all, numbers => Assert.Equal(Enumerable.Range(0, size).SelectMany(rank => new long[] { rank, 100 - rank }), numbers));
    }

    [Fact]
    public async Task Barrier_HoldsEveryoneUntilTheLast()
    {
        await using var ring = await TestRing.FormAsync(3);
        var entered = 0;
        var seen = new int[3];

        await ring.EachAsync(member =>
        {
            Interlocked.Increment(ref entered);
            member.Barrier();
            seen[member.Rank] = entered;
        });

        Assert.Equal([3, 3, 3], seen);
    }

    [Fact]
    public async Task Dispose_OfOneThatIsDone_LeavesTheOthersTheirLastResult()
    {
        for (var round = 0; round < 20; round++)
        {
            await using var ring = await TestRing.FormAsync(3);
            var sums = ring.Members.Select(_ => new float[200_000]).ToArray();
            await ring.EachAsync(member =>
            {
                sums[member.Rank].AsSpan().Fill(member.Rank + 1);
                member.Sum(sums[member.Rank]);
                member.Dispose();
            });
            Assert.All(sums, sum => Assert.Equal(6, sum[^1]));
        }
    }

    [Fact]
    public async Task Listener_ServesOneGenerationAfterTheOther()
    {
        await using var first = TestRing.Listen();
        await using var second = TestRing.Listen();
        for (var generation = 1; generation <= 3; generation++)
        {
            var groups = await Task.WhenAll(new[] { first, second }.Select((listener, rank) => RingGroup.JoinAsync(
                listener, TestRing.Member([first.EndPoint, second.EndPoint], rank, generation), TestRing.Deadline, TestContext.Current.CancellationToken)));
            Assert.Equal([0, 1], groups.Select(group => group.Rank));
            Array.ForEach(groups, group => group.Dispose());
        }
    }

    internal static float[][] Vectors(int size, int length, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, size).Select(_ => Enumerable.Range(0, length).Select(_ => (float)((random.NextDouble() - 0.5) * Math.Pow(10, random.Next(-3, 4)))).ToArray())];
    }

    /// <summary>Segment g, a whole number of 16 floats long, is summed from rank g on.</summary>
    private static float[] Reference(float[][] parts)
    {
        var (size, length) = (parts.Length, parts[0].Length);
        var each = (((length + size - 1) / size) + 15) / 16 * 16;
        var sums = new float[length];
        for (var i = 0; i < length; i++)
        {
            var first = i / each;
            sums[i] = parts[first][i];
            for (var step = 1; step < size; step++)
            {
                sums[i] += parts[(first + step) % size][i];
            }
        }

        return sums;
    }

    private static bool SameBits(float[] left, float[] right) => MemoryMarshal.AsBytes(left.AsSpan()).SequenceEqual(MemoryMarshal.AsBytes(right.AsSpan()));
}
