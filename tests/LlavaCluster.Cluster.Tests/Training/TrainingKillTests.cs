using System.Text.Json;


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
        var body = await cluster.Client.UploadAsync();
        var (undisturbed, _) = await cluster.Client.FinishAsync(await cluster.Client.CreateAsync(body));

        // Every trainer: back from a checkpoint.
        var job = await cluster.Client.CreateAsync(body);
        await cluster.Client.ReachesAsync(job, 45);
        await cluster.KillAsync(JobCluster.Workers);
        await cluster.StartAsync(JobCluster.Workers);
        await FinishesAsAsync(undisturbed);

        // The coordinator's front: the trainers go on meanwhile, and another front takes the job over.
        job = await cluster.Client.CreateAsync(body, cluster["front-1"]);
        await cluster.Client.ReachesAsync(job, 20);
        await cluster.KillAsync("front-1");
        await cluster.StartAsync("front-1");
        await FinishesAsAsync(undisturbed);

        // One trainer: the other goes on from the last step, and no step is made twice.
        job = await cluster.Client.CreateAsync(body);
        await cluster.Client.ReachesAsync(job, 30);
        await cluster.KillAsync("worker-2");
        var (info, events) = await cluster.Client.FinishAsync(job);
        Assert.NotNull(JobClient.Version(info));
        var steps = events.Where(JobClient.IsMetrics).Select(JobClient.StepOf).ToList();
        Assert.Equal(steps.Distinct().Order(), steps);
        _ = new StepLedger(job, cluster.Processes, events, steps[^1]);

        async Task FinishesAsAsync(JsonElement undisturbed)
        {
            var (info, events) = await cluster.Client.FinishAsync(job);
            var ledger = new StepLedger(job, cluster.Processes, events, JobClient.StepOf(events.Last(JobClient.IsMetrics)));
            // On a busy machine one trainer may be back so much later than the other that this one begins alone.
            Assert.True(JobClient.Version(undisturbed) == JobClient.Version(info) || !ledger.IsOf(2), $"{ledger}");
        }
    }
}
