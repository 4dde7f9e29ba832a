using System.Runtime.InteropServices;
using LlavaCluster.Training.Data;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Tests.Training;

/// <summary>What a training thread brings along, and what it leaves to others.</summary>
public sealed class ThreadTests
{
    private const int Low = 7;

    [Fact]
    public void Loading_HasThePriorityOfTheThreadThatAsks()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux has priorities of threads.");
        List<int> seen = [];
        var scanned = new int[64];
        Run(() =>
        {
            Assert.Equal(0, Posix.SetPriority(0, 0, Low));
            using var loads = new OrderedPrefetcher<int>(_ => Posix.GetPriority(0, 0), 0, 4);
            seen = [.. Enumerable.Range(0, 32).Select(_ => loads.Next())];
            OwnThreads.For(scanned.Length, 3, index => scanned[index] = Posix.GetPriority(0, 0), CancellationToken.None);
        });

        Assert.All(seen, priority => Assert.Equal(Low, priority));
        Assert.All(scanned, priority => Assert.Equal(Low, priority));
    }

    [Fact]
    public void Prefetcher_GivesItemsInOrderAndAFaultAtItsPlace()
    {
        using var loads = new OrderedPrefetcher<long>(index => index == 5 ? throw new InvalidDataException("five") : index, 3, 4);

        Assert.Equal([3L, 4L], [loads.Next(), loads.Next()]);
        Assert.Equal("five", Assert.Throws<InvalidDataException>(() => loads.Next()).Message);
        Assert.Equal(6, loads.Next());
    }

    [Fact]
    public void For_ThatFailsOrIsCancelled_EndsWithThat()
    {
        using var stop = new CancellationTokenSource();
        Assert.Equal("nine", Assert.Throws<InvalidDataException>(() => OwnThreads.For(1000, 4, index => _ = index == 9 ? throw new InvalidDataException("nine") : 0, stop.Token)).Message);
        Assert.Throws<OperationCanceledException>(() => OwnThreads.For(1000, 4, index => stop.Cancel(), stop.Token));
    }

    /// <summary>A trainer sets its own number and leaves that of an engine which has computed as it is; threads that compute for the first time later get the latest that was set.</summary>
    [Fact]
    public void SetNumThreads_IsOfItsThreadAndOfThoseToCome()
    {
        var (engine, later) = (0, 0);
        using var set = new ManualResetEventSlim();
        using var changed = new ManualResetEventSlim();
        var first = new Thread(() =>
        {
            set_num_threads(2);
            _ = get_num_threads();
            set.Set();
            changed.Wait(TestContext.Current.CancellationToken);
            engine = get_num_threads();
        });
        first.Start();
        set.Wait(TestContext.Current.CancellationToken);
        Run(() => set_num_threads(1));
        changed.Set();
        first.Join();
        Run(() => later = get_num_threads());

        Assert.Equal((2, 1), (engine, later));
    }

    private static void Run(Action action)
    {
        Exception? fault = null;
        var thread = new Thread(() =>
        {
            try
            {
                action();
            }
            catch (Exception exception)
            {
                fault = exception;
            }
        });
        thread.Start();
        thread.Join();
        Assert.Null(fault);
    }

    private static class Posix
    {
        [DllImport("libc", EntryPoint = "setpriority")]
        public static extern int SetPriority(int which, int who, int priority);

        [DllImport("libc", EntryPoint = "getpriority")]
        public static extern int GetPriority(int which, int who);
    }
}
