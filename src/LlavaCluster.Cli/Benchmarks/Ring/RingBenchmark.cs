using System.Net;
using System.Security.Cryptography;
using LlavaCluster.Cli.Benchmarks.Load;
using LlavaCluster.Training.Distributed;

namespace LlavaCluster.Cli.Benchmarks.Ring;

/// <summary>Times sums in a ring whose members are threads of this process, over loopback: all of them share its cores, so hosts of their own are faster, and a network slower.</summary>
internal sealed class RingBenchmark(int members, long bytes, int rounds, TimeProvider time)
{
    public const int SmallFloats = 256;

    private const int SmallPerRound = 100;
    private static readonly TimeSpan JoiningTime = TimeSpan.FromSeconds(30);

    /// <param name="runs">Rings that are formed one after the other; each gives a median of its rounds.</param>
    public async Task<RingFigures> MeasureAsync(int runs, CancellationToken cancellationToken)
    {
        var measured = new List<Run>();
        for (var run = 0; run < runs; run++)
        {
            measured.Add(await MeasureRunAsync(run, cancellationToken));
        }

        return new RingFigures(members, bytes, Repeated.Of(measured.Select(run => run.Large))!, Repeated.Of(measured.Select(run => run.Small))!, measured[0].BytesSent);
    }

    private async Task<Run> MeasureRunAsync(int run, CancellationToken cancellationToken)
    {
        var listeners = Enumerable.Range(0, members).Select(_ => RingListener.Start(new IPEndPoint(IPAddress.Loopback, 0), new RingOptions())).ToArray();
        try
        {
            IPEndPoint[] places = [.. listeners.Select(listener => listener.EndPoint)];
            var secret = RandomNumberGenerator.GetBytes(32);
            var groups = await Task.WhenAll(listeners.Select((listener, rank) => RingGroup.JoinAsync(
                listener, new RingMembership { Group = "bench", Generation = run, Rank = rank, Members = places, Secret = secret }, JoiningTime, cancellationToken)));
            using var stop = cancellationToken.Register(() => groups[0].Abort("The measurement was given up."));
            try
            {
                var all = groups.Select(group => Task.Factory.StartNew(() => MeasureMember(group), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)).ToArray();
                return (await Task.WhenAll(all))[0];
            }
            finally
            {
                Array.ForEach(groups, group => group.Dispose());
            }
        }
        finally
        {
            await Task.WhenAll(listeners.Select(listener => listener.DisposeAsync().AsTask()));
        }
    }

    private Run MeasureMember(RingGroup group)
    {
        var (large, small) = (new float[bytes / sizeof(float)], new float[SmallFloats]);
        group.Sum(large); // every page is there, every loop compiled
        Sum(group, small, SmallPerRound);
        var before = group.BytesSent;
        group.Sum(large);
        var sent = group.BytesSent - before;
        List<double> largeTimes = [], smallTimes = [];
        for (var round = 0; round < rounds; round++)
        {
            largeTimes.Add(Sum(group, large, 1));
            smallTimes.Add(Sum(group, small, SmallPerRound) / SmallPerRound);
        }

        return new Run(Repeated.Of(largeTimes)!.Median, Repeated.Of(smallTimes)!.Median, sent);
    }

    /// <summary>Seconds, counted from when all members are ready.</summary>
    private double Sum(RingGroup group, float[] values, int times)
    {
        group.Barrier();
        var began = time.GetTimestamp();
        for (var i = 0; i < times; i++)
        {
            group.Sum(values);
        }

        return time.GetElapsedTime(began).TotalSeconds;
    }

    private sealed record Run(double Large, double Small, long BytesSent);
}
