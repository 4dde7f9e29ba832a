using LlavaCluster.Model.Kernels.Threading;

namespace LlavaCluster.Model.Tests.Kernels.Threading;

public sealed class KernelTeamTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Run_OverAndOver_CallsEveryChunkOnce(int threads)
    {
        using var team = new KernelTeam(threads);
        var random = new Random(threads);
        var calls = new int[64];
        KernelWork work = (chunk, _) => Interlocked.Increment(ref calls[chunk]);
        for (var loop = 0; loop < 20_000; loop++)
        {
            var chunks = random.Next(calls.Length + 1);
            Array.Clear(calls);

            team.Run(chunks, work);

            Assert.Equal(chunks, calls.Sum());
            Assert.All(calls[..chunks], count => Assert.Equal(1, count));
        }
    }

    [Fact]
    public void Run_AfterTheHelpersParked_StillSharesTheWork()
    {
        using var team = new KernelTeam(2);
        using var both = new Barrier(2);
        for (var loop = 0; loop < 3; loop++)
        {
            // Two chunks that wait for each other end only on two threads; each loop finds the helper parked or about to be.
            team.Run(2, (_, _) => both.SignalAndWait(TestContext.Current.CancellationToken));
            Assert.True(SpinWait.SpinUntil(() => team.IsIdle, TimeSpan.FromSeconds(30)));
        }
    }

    [Fact]
    public void Run_WhenAChunkThrows_ThrowsItHereAndGoesOnServing()
    {
        using var team = new KernelTeam(3);

        var thrown = Assert.Throws<InvalidOperationException>(() => team.Run(10, (chunk, _) =>
        {
            if (chunk == 7)
            {
                throw new InvalidOperationException("seven");
            }
        }));

        Assert.Equal("seven", thrown.Message);
        var ran = 0;
        team.Run(4, (_, _) => Interlocked.Increment(ref ran));
        Assert.Equal(4, ran);
    }

    [Fact]
    public void Run_AllocatesNothing()
    {
        using var team = new KernelTeam(2);
        var total = 0L;
        KernelWork work = (chunk, _) => Interlocked.Add(ref total, chunk);
        team.Run(16, work);
        var before = GC.GetAllocatedBytesForCurrentThread();

        for (var loop = 0; loop < 100; loop++)
        {
            team.Run(16, work);
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }
}
