
namespace LlavaCluster.Cluster.Tests.Training;

/// <summary>Two trainers of one job, each a process, killed while they learn: the job always finishes, and in the very weights of the undisturbed run where the group is of the same size again.</summary>
public sealed class TrainingKillTests : IDisposable
{
    private readonly CancellationTokenSource _deadline = new(TimeSpan.FromSeconds(240));

    public void Dispose() => _deadline.Dispose();

    [Fact]
    public async Task Job_WhoseParticipantsAreKilled_FinishesAsIfTheyWereNot()
    {
        await using var cluster = await JobCluster.StartAsync(_deadline.Token);
        var body = await cluster.UploadAsync();
        var (undisturbed, _) = await cluster.FinishAsync(await cluster.CreateAsync(body));

        // Every trainer: back from a checkpoint.
        var job = await cluster.CreateAsync(body);
        await cluster.ReachesAsync(job, 45);
        await cluster.KillAsync(JobCluster.Workers);
        await cluster.StartAsync(JobCluster.Workers);
        Assert.Equal(JobCluster.Version(undisturbed), JobCluster.Version((await cluster.FinishAsync(job)).Job));

        // The coordinator's front: the trainers go on meanwhile, and another front takes the job over.
        job = await cluster.CreateAsync(body, "front-1");
        await cluster.ReachesAsync(job, 20);
        await cluster.KillAsync("front-1");
        await cluster.StartAsync("front-1");
        Assert.Equal(JobCluster.Version(undisturbed), JobCluster.Version((await cluster.FinishAsync(job)).Job));

        // One trainer: the other goes on from the last step, and no step is made twice.
        job = await cluster.CreateAsync(body);
        await cluster.ReachesAsync(job, 30);
        await cluster.KillAsync("worker-2");
        var (info, events) = await cluster.FinishAsync(job);
        Assert.NotNull(JobCluster.Version(info));
        var steps = events.Where(JobCluster.IsMetrics).Select(JobCluster.StepOf).ToList();
        Assert.Equal(steps.Distinct().Order(), steps);
        _ = new StepLedger(job, cluster.Processes, events, steps[^1]);
    }
}
