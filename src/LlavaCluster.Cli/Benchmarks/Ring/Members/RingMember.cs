using System.Diagnostics;
using System.Net;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using LlavaCluster.Training.Data.Conversations;
using LlavaCluster.Training.Distributed;
using LlavaCluster.Training.Tuning;

namespace LlavaCluster.Cli.Benchmarks.Ring.Members;

/// <summary>
/// A member of a measured group, in a process of its own: libtorch's number of threads and its pool are a process's. Speaks in lines with the process that started it: order, then where it listens,
/// then who else does, then the report. A fault is thrown, and is the process's last words.
/// </summary>
internal sealed class RingMember(TextReader input, TextWriter output)
{
    private const int MostWarmUp = 10; // steps that are not timed
    private static readonly TimeSpan JoiningTime = TimeSpan.FromSeconds(60);

    /// <exception cref="InvalidDataException">The lines are not those of a measurement, or the data are refused.</exception>
    public void Run()
    {
        TorchSharp.torch.set_num_threads(1);
        var order = Read<MemberOrder>();
        var recipe = TuningRecipe.Parse(order.Recipe);
        using var data = Open(order, recipe);
        using var run = new TuningRun(order.Model, recipe, data);
        var listener = RingListener.Start(new IPEndPoint(IPAddress.Loopback, 0), new RingOptions());
        try
        {
            output.WriteLine(listener.EndPoint);
            var places = Read<MemberPlaces>();
            new Thread(EndWithParent) { IsBackground = true }.Start();
            using var ring = RingGroup.JoinAsync(
                listener,
                new RingMembership { Group = "bench", Generation = 1, Rank = places.Rank, Members = [.. places.Members.Select(IPEndPoint.Parse)], Secret = places.Secret },
                JoiningTime,
                CancellationToken.None).GetAwaiter().GetResult();
            output.WriteLine(JsonSerializer.Serialize(Train(run, ring, order)));
        }
        finally
        {
            listener.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    private static ConversationDataset Open(MemberOrder order, TuningRecipe recipe)
    {
        var pictures = order.Images is { } images ? PictureStore.Open(images) : PictureStore.None;
        var (data, report) = ConversationDataset.Open(order.Data, pictures, TuningRun.EncoderFor(order.Model, recipe), new DatasetOptions { DecodePictures = false });
        return data ?? throw new InvalidDataException($"{report.Bad} of {report.Records} records are bad: {report.Details[0].Reason}");
    }

    private static MemberReport Train(TuningRun run, RingGroup ring, MemberOrder order)
    {
        using var state = new MemberState(run, order.LocalSteps);
        var together = new GroupRun(state, ring);
        together.Align(0, _ => { });
        var before = run.Evaluate(ofBase: true)?.Loss;
        var sent = ring.BytesSent;
        var warmUp = Math.Min(MostWarmUp, run.TotalSteps / 10);
        var (losses, seconds, waited, began, cores) = (new List<double>(), new List<double>(), 0.0, 0L, TimeSpan.Zero);
        while (run.Step < run.TotalSteps)
        {
            var isTimed = run.Step >= warmUp;
            if (run.Step == warmUp)
            {
                (began, cores) = (Stopwatch.GetTimestamp(), Environment.CpuUsage.TotalTime);
            }

            var at = Stopwatch.GetTimestamp();
            var step = together.Step(wantsToPart: false);
            var wait = together.TakeWaited().TotalSeconds;
            if (step.Divergence is { } divergence)
            {
                throw new InvalidDataException($"The training diverged at {divergence}");
            }

            if (step.Agreed)
            {
                losses.Add(step.Loss);
            }

            if (isTimed)
            {
                seconds.Add(Stopwatch.GetElapsedTime(at).TotalSeconds);
                waited += wait;
            }
        }

        var elapsed = Stopwatch.GetElapsedTime(began).TotalSeconds;
        var used = Environment.CpuUsage.TotalTime - cores;
        sent = ring.BytesSent - sent;
        var digest = Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes(run.Parameters)));
        return new MemberReport(losses, elapsed, seconds, waited, used.TotalSeconds, sent, before, run.Evaluate()?.Loss, digest);
    }

    /// <summary>A measurement that is gone needs no member.</summary>
    private void EndWithParent()
    {
        while (input.ReadLine() is not null)
        {
            // It says no more, but does not end either.
        }

        Environment.Exit(1);
    }

    private T Read<T>() => input.ReadLine() is { } line ? JsonSerializer.Deserialize<T>(line)! : throw new InvalidDataException("The measurement ended before it said what to do.");
}
