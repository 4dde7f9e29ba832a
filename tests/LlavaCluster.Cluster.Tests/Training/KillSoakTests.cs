using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;

namespace LlavaCluster.Cluster.Tests.Training;

/// <summary>
/// Random participants killed at random moments, job after job, as many moments as <c>LLAVA_SOAK_KILLS</c> says: <c>LLAVA_SOAK_KILLS=20 dotnet run -c Release --project tests/LlavaCluster.Cluster.Tests -- -class "*KillSoak*"</c>.
/// <c>LLAVA_SOAK_SEED</c> draws those of an earlier run again. Left out of the ordinary suite, where TrainingKillTests has a moment of each kind.
/// </summary>
public sealed class KillSoakTests(ITestOutputHelper output) : IDisposable
{
    /// <summary>The moments of one job: 20 are in five jobs.</summary>
    private const int KillsAJob = 4;

    /// <summary>How far weights may be from the undisturbed ones in units of what another number of trainers makes of them by rounding alone. A step left out is some hundred times as far.</summary>
    private const int Leeway = 10;

    /// <summary>A drawn step is known a report later, at the latest this long: the moment lies anywhere in between.</summary>
    private static readonly TimeSpan ReportEvery = TimeSpan.FromSeconds(1);

    private static readonly int Kills = int.Parse(Environment.GetEnvironmentVariable("LLAVA_SOAK_KILLS") ?? "0", CultureInfo.InvariantCulture);
    private readonly CancellationTokenSource _deadline = new(TimeSpan.FromSeconds(60 + (30 * Kills)));

    private enum Victims
    {
        Trainer,
        Trainers,
        Coordinator,
        Everybody,
    }

    public void Dispose() => _deadline.Dispose();

    [Fact]
    public async Task Jobs_WhoseParticipantsAreKilledAtRandomMoments_Finish()
    {
        Assert.SkipUnless(Kills > 0, "LLAVA_SOAK_KILLS says how many moments.");
        var seed = int.Parse(Environment.GetEnvironmentVariable("LLAVA_SOAK_SEED") ?? $"{Random.Shared.Next()}", CultureInfo.InvariantCulture);
        output.WriteLine($"LLAVA_SOAK_SEED={seed}");
        var random = new Random(seed);
        await using var cluster = await JobCluster.StartAsync(_deadline.Token);
        var body = await cluster.Client.UploadAsync();
        var (undisturbed, events) = await cluster.Client.FinishAsync(await cluster.Client.CreateAsync(body));
        var total = JobClient.StepOf(events.Last(JobClient.IsMetrics));
        var (alone, _) = await cluster.Client.FinishAsync(await cluster.Client.CreateAsync(body.Replace("\"max_trainers\":2", "\"max_trainers\":1", StringComparison.Ordinal)));
        var expected = await cluster.Client.AdapterAsync(undisturbed);
        var rounding = Distance(expected, await cluster.Client.AdapterAsync(alone));
        output.WriteLine($"one trainer's weights are {rounding:0.0e0} from those of two");
        var equal = 0;
        for (var (left, number) = (Kills, 1); left > 0; left -= KillsAJob, number++)
        {
            var job = await cluster.Client.CreateAsync(body, cluster[JobCluster.Fronts[random.Next(JobCluster.Fronts.Length)]]);
            foreach (var step in Enumerable.Range(0, Math.Min(left, KillsAJob)).Select(_ => random.NextInt64(total)).Order())
            {
                await KillAsync(cluster, job, step, random);
            }

            var (info, told) = await cluster.Client.FinishAsync(job);
            var ledger = new StepLedger(job, cluster.Processes, told, total);
            var isEqual = JobClient.Version(info) == JobClient.Version(undisturbed);
            var distance = Distance(expected, await cluster.Client.AdapterAsync(info));
            output.WriteLine($"job {number}: {ledger}; weights {(isEqual ? "are those of the undisturbed run" : $"{distance:0.0e0} from those of the undisturbed run")}");
            Assert.True(isEqual || !ledger.IsOf(2), $"The group was always of the same size, yet the weights are {distance} from those of the undisturbed run: {ledger}");
            Assert.True(distance <= Leeway * rounding, $"The weights are {distance} from those of the undisturbed run; another number of trainers accounts for {rounding}.");
            equal += isEqual ? 1 : 0;
        }

        output.WriteLine($"{Kills} kills; {equal} jobs ended in the very weights of the undisturbed run");
    }

    private async Task KillAsync(JobCluster cluster, string job, long step, Random random)
    {
        var (victims, jitter) = ((Victims)random.Next(4), ReportEvery * random.NextDouble());
        string[] one = [JobCluster.Workers[random.Next(JobCluster.Workers.Length)]];
        if (step > 0)
        {
            await cluster.Client.ReachesAsync(job, step);
        }

        await Task.Delay(jitter, _deadline.Token);
        string[] killed = victims switch
        {
            Victims.Trainer => one,
            Victims.Trainers => JobCluster.Workers,
            Victims.Coordinator => [cluster.CoordinatorOf(job)],
            _ => [.. JobCluster.Workers, .. JobCluster.Fronts],
        };
        await cluster.KillAsync(killed);
        output.WriteLine($"after step {step} of {job}: killed {string.Join(", ", killed)}");
        await cluster.StartAsync(killed);
    }

    /// <summary>Largest difference of two adapters' numbers.</summary>
    private static float Distance(byte[] one, byte[] other)
    {
        Assert.Equal(one.Length, other.Length);
        var head = 8 + (int)BinaryPrimitives.ReadInt64LittleEndian(one);
        var mine = MemoryMarshal.Cast<byte, float>(one.AsSpan(head));
        var others = MemoryMarshal.Cast<byte, float>(other.AsSpan(head));
        var most = 0f;
        for (var i = 0; i < mine.Length; i++)
        {
            most = Math.Max(most, Math.Abs(mine[i] - others[i]));
        }

        return most;
    }
}
