using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Grains.Tests.Support;
using LlavaCluster.TestSupport;
using Orleans.Core.Internal;

namespace LlavaCluster.Grains.Tests.Training;

/// <summary>Jobs with scripted trainers: what the coordinator makes of what they report.</summary>
public sealed class TrainingJobTests : IAsyncLifetime
{
    private static readonly TenantId Ours = TenantId.Parse("acme");

    private readonly DataFolder _data = new();
    private readonly CancellationTokenSource _deadline = new(TimeSpan.FromSeconds(60));
    private readonly TrainingJobKey _job = TrainingJobKey.New(Ours);
    private TestFront _front = null!;

    private CancellationToken Stop => _deadline.Token;

    public async ValueTask InitializeAsync() => _front = await TestFront.StartAsync(_data.Path, Stop);

    public async ValueTask DisposeAsync()
    {
        await _front.DisposeAsync();
        _deadline.Dispose();
        _data.Dispose();
    }

    [Fact]
    public async Task Job_WithOneTrainer_TrainsAndPublishesItsAdapter()
    {
        var trainer = _front.AddTrainer(0);
        await CreateAsync(Spec());
        await FormsAsync(trainer);
        await trainer.StepAsync();
        var checkpoint = new TrainingCheckpoint(1, ObjectId.Of([1]), 10, DateTimeOffset.UnixEpoch, 1);
        await trainer.ReportAsync(report => report with { Checkpoint = checkpoint });
        Assert.Equal([checkpoint], await _front.Job(_job).CheckpointsAsync(Stop));

        var order = await trainer.ReportAsync(report => report with { Phase = TrainerPhase.Done, Step = 10, Result = new TrainingResult(ObjectId.Of([2]), 20, 2, 1) });

        Assert.Equal(TrainerOrder.Leave, order);
        var info = (await _front.Job(_job).GetAsync(Stop))!;
        Assert.Equal((TrainingJobStatus.Succeeded, 7L), (info.Status, info.TrainedTokens));
        Assert.InRange(info.DeviceSeconds, 3, 60);
        Assert.NotNull(info.FinishedAt);
        Assert.Equal(ObjectId.Of([2]), await _front.Adapters(Ours).ResolveAsync(ScriptedEngineHost.ModelName, "formal", "any", Stop));
        var events = await WatchAsync();
        Assert.Equal(Enumerable.Range(1, events.Count).Select(number => (long)number), events.Select(line => line.Sequence));
        Assert.Contains("succeeded", events[^1].Message, StringComparison.Ordinal);
        Assert.Equal(0, (await _front.Tenant(Ours).UsageAsync(Stop)).RunningJobs);
        // All of it is charged, that since the last charge too.
        Assert.Equal(info.DeviceSeconds, (await _front.Tenant(Ours).UsageAsync(Stop)).TrainingSeconds);
    }

    [Fact]
    public async Task Object_ThatNoReportNamed_GoesWhenTheJobHasEnded_AndOneThatIsNamedStays()
    {
        var trainer = _front.AddTrainer(0);
        await CreateAsync(Spec());
        await FormsAsync(trainer);
        byte[][] contents = [[1], [2], [3]];
        var objects = contents.Select(content => ObjectId.Of(content)).ToArray();
        foreach (var (id, content) in objects.Zip(contents))
        {
            Assert.Null(await _front.Objects.PutAsync(Ours, id, content, Stop));
        }

        var (checkpoint, adapter, unreported) = (objects[0], objects[1], objects[2]);
        await trainer.ReportAsync(report => report with { Checkpoint = new TrainingCheckpoint(1, checkpoint, 1, DateTimeOffset.UnixEpoch, 1) });
        Assert.False(await _front.Job(_job).DisownAsync(unreported, Stop)); // its report may be on its way
        await trainer.ReportAsync(report => report with { Phase = TrainerPhase.Done, Step = 10, Result = new TrainingResult(adapter, 1, 2, 1) });

        foreach (var id in objects)
        {
            Assert.True(await _front.Job(_job).DisownAsync(id, Stop));
        }

        Assert.True(await _front.Job(TrainingJobKey.New(Ours)).DisownAsync(checkpoint, Stop)); // of a job that is gone
        foreach (var id in objects)
        {
            await using var stored = await _front.Objects.OpenAsync(Ours, id, Stop);
            Assert.Equal(id == unreported, stored is null);
        }
    }

    [Fact]
    public async Task Create_Again_IsTheSameJob()
    {
        var first = await CreateAsync(Spec());
        var second = await CreateAsync(Spec() with { AdapterName = "other" });

        Assert.Equal(first.Job!.Spec.AdapterName, second.Job!.Spec.AdapterName);
    }

    [Fact]
    public async Task Group_WhoseMemberFallsSilent_FormsAnewWithoutIt()
    {
        ScriptedTrainer[] trainers = [_front.AddTrainer(0), _front.AddTrainer(1)];
        await CreateAsync(Spec() with { MaxTrainers = 2 });
        await ReportUntilAsync(() => trainers.All(trainer => trainer.Group?.Endpoints.Length == 2), trainers);
        Assert.Equal([0, 1], trainers.Select(trainer => trainer.Group!.Rank).Order());
        Assert.Equal(trainers[0].Group!.Secret.AsSpan(), trainers[1].Group!.Secret.AsSpan());

        _front.Silence(1);
        var first = trainers[0].Group!.Generation;
        await ReportUntilAsync(() => trainers[0].Group?.Generation > first, trainers[0]);

        Assert.Equal(["front/0:1"], trainers[0].Group!.Endpoints);
        await trainers[0].StepAsync();
        Assert.Equal(1, (await _front.Job(_job).GetAsync(Stop))!.Step);
    }

    [Fact]
    public async Task Trainer_ThatComesLater_JoinsWhenTheEpochEnds()
    {
        var first = _front.AddTrainer(0);
        await CreateAsync(Spec() with { MaxTrainers = 2 });
        await FormsAsync(first);
        var late = _front.AddTrainer(1);
        await ReportUntilAsync(() => late.Job is not null, first);
        await late.ReportAsync();

        first.Step = 5;
        Assert.Equal(TrainerOrder.PartAtEpochEnd, await first.ReportAsync());
        await first.ReportAsync(report => report with { Phase = TrainerPhase.Parted });
        await ReportUntilAsync(() => late.Group?.Endpoints.Length == 2, first, late);

        // The one with the state comes first: it hands it on.
        Assert.Equal((0, 1), (first.Group!.Rank, late.Group!.Rank));
    }

    [Fact]
    public async Task Activation_AfterALostOne_KnowsTheGroupByItsReports()
    {
        var trainer = _front.AddTrainer(0);
        await CreateAsync(Spec());
        await FormsAsync(trainer);

        await _front.Job(_job).Cast<IGrainManagementExtension>().DeactivateOnIdle(Stop);
        for (var i = 0; i < 6; i++)
        {
            Assert.Equal(TrainerOrder.Continue, await trainer.StepAsync());
            await Task.Delay(TimeSpan.FromMilliseconds(500), Stop); // together longer than the new activation listens before it acts
        }

        Assert.Single(trainer.Groups);
        Assert.Equal(6, (await _front.Job(_job).GetAsync(Stop))!.Step);
    }

    [Fact]
    public async Task Pause_PartsTheGroup_AndResumeFormsAnotherFromTheCheckpoint()
    {
        var trainer = _front.AddTrainer(0);
        await CreateAsync(Spec());
        await FormsAsync(trainer);

        Assert.Null((await _front.Job(_job).PauseAsync(Stop)).Failure);
        Assert.Equal(TrainerOrder.Part, await trainer.StepAsync());
        var checkpoint = new TrainingCheckpoint(1, ObjectId.Of([1]), 10, DateTimeOffset.UnixEpoch, 1);
        Assert.Equal(TrainerOrder.Leave, await trainer.ReportAsync(report => report with { Phase = TrainerPhase.Parted, Checkpoint = checkpoint }));
        Assert.Equal(TrainingJobStatus.Paused, (await _front.Job(_job).GetAsync(Stop))!.Status);

        Assert.Null((await _front.Job(_job).ResumeAsync(Stop)).Failure);
        await FormsAsync(trainer);
        Assert.Equal([checkpoint], trainer.Group!.Checkpoints);
    }

    [Fact]
    public async Task Job_WhoseTenantHasNoTimeLeft_WaitsAndGoesOnWhenItHas()
    {
        var trainer = _front.AddTrainer(0);
        await _front.Tenant(Ours).SetQuotaAsync(new TenantQuota { TrainingSecondsPerDay = 5 }, Stop);
        await CreateAsync(Spec());
        await FormsAsync(trainer);

        await ReportUntilAsync(() => trainer.Group is null, async () =>
        {
            if (await trainer.ReportAsync(report => report with { DeviceSeconds = 4 }) == TrainerOrder.Part)
            {
                await trainer.ReportAsync(report => report with { Phase = TrainerPhase.Parted });
            }
        });
        var info = (await _front.Job(_job).GetAsync(Stop))!;
        Assert.Equal(TrainingJobStatus.Paused, info.Status);
        Assert.Contains("<= 5 s", info.Reason, StringComparison.Ordinal);

        await _front.Tenant(Ours).SetQuotaAsync(new TenantQuota(), Stop);
        await FormsAsync(trainer);
    }

    [Fact]
    public async Task Job_WhoseTenantStoresItsMost_WaitsUntilItMayStoreMore()
    {
        var trainer = _front.AddTrainer(0);
        var stored = await StoreAsync([1, 2, 3]);
        await _front.Tenant(Ours).SetQuotaAsync(new TenantQuota { StorageBytes = 3 }, Stop);
        await CreateAsync(Spec());
        await ReportUntilAsync(async () => (await _front.Job(_job).GetAsync(Stop))!.Status == TrainingJobStatus.Paused, trainer);
        Assert.Equal("stored bytes must be < 3 for a job to train; 3 are used.", (await _front.Job(_job).GetAsync(Stop))!.Reason);
        Assert.Equal(0, (await _front.Tenant(Ours).UsageAsync(Stop)).RunningJobs);

        await _front.Objects.DeleteAsync(Ours, stored, Stop);
        await FormsAsync(trainer);
    }

    [Fact]
    public async Task Checkpoints_OfAJobThatEnds_AreTheLastOneAndOfACancelledOneNone()
    {
        var trainer = _front.AddTrainer(0);
        var made = new List<TrainingCheckpoint>();
        foreach (var content in new byte[][] { [1], [2], [3] })
        {
            made.Add(new TrainingCheckpoint(made.Count + 1, await StoreAsync(content), 1, DateTimeOffset.UnixEpoch, 1));
        }

        await CreateAsync(Spec());
        await FormsAsync(trainer);
        foreach (var checkpoint in made)
        {
            await trainer.ReportAsync(report => report with { Checkpoint = checkpoint });
        }

        await trainer.ReportAsync(report => report with { Phase = TrainerPhase.Done, Step = 10, Result = new TrainingResult(ObjectId.Of([9]), 20, 2, 1) });
        Assert.Equal([made[2]], await _front.Job(_job).CheckpointsAsync(Stop));
        Assert.Equal((1, 1), ((await _front.Objects.TotalsAsync(Ours, Stop)).Count, (await _front.Objects.TotalsAsync(Ours, Stop)).Bytes));

        // A state that another job has too stays with that one.
        var second = TrainingJobKey.New(Ours);
        await _front.Job(second).CreateAsync(Spec(), Stop);
        await ReportUntilAsync(() => trainer.Job == second && trainer.Group is not null, trainer);
        var own = new TrainingCheckpoint(2, await StoreAsync([4]), 1, DateTimeOffset.UnixEpoch, 1);
        await trainer.ReportAsync(report => report with { Checkpoint = made[2] });
        await trainer.ReportAsync(report => report with { Checkpoint = own });
        Assert.Null((await _front.Job(second).CancelAsync(Stop)).Failure);
        Assert.Empty(await _front.Job(second).CheckpointsAsync(Stop));
        Assert.Equal(1, (await _front.Objects.TotalsAsync(Ours, Stop)).Count);
        Assert.NotNull(await _front.Objects.OpenAsync(Ours, made[2].Object, Stop));
    }

    [Fact]
    public async Task Second_JobOfATenantThatMayRunOne_WaitsForTheFirst()
    {
        var trainer = _front.AddTrainer(0);
        _front.AddTrainer(1);
        await _front.Tenant(Ours).SetQuotaAsync(new TenantQuota { TrainingJobs = 1 }, Stop);
        await CreateAsync(Spec());
        await FormsAsync(trainer);
        var second = TrainingJobKey.New(Ours);
        await _front.Job(second).CreateAsync(Spec(), Stop);

        await ReportUntilAsync(async () => (await _front.Job(second).GetAsync(Stop))!.Status == TrainingJobStatus.Paused, trainer);
        Assert.Contains("<= 1", (await _front.Job(second).GetAsync(Stop))!.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cancel_EndsTheJobAndFreesItsTrainer()
    {
        var trainer = _front.AddTrainer(0);
        await CreateAsync(Spec());
        await FormsAsync(trainer);

        Assert.Equal(TrainingJobStatus.Cancelled, (await _front.Job(_job).CancelAsync(Stop)).Job!.Status);

        Assert.Null(trainer.Job);
        Assert.Equal(ChatFailureKind.Conflict, (await _front.Job(_job).PauseAsync(Stop)).Failure!.Kind);
        Assert.Null((await _front.Job(_job).CancelAsync(Stop)).Failure);
    }

    [Fact]
    public async Task Failure_ThatEveryTrainerWouldFind_EndsTheJob()
    {
        var trainer = _front.AddTrainer(0);
        await CreateAsync(Spec());
        await FormsAsync(trainer);

        Assert.Equal(TrainerOrder.Leave, await trainer.ReportAsync(report => report with { Phase = TrainerPhase.Failed, Message = "record 7 makes the loss NaN" }));

        var info = (await _front.Job(_job).GetAsync(Stop))!;
        Assert.Equal((TrainingJobStatus.Failed, "record 7 makes the loss NaN"), (info.Status, info.Reason));
    }

    [Fact]
    public async Task Trainer_ThatIsUnable_IsReplacedByAnother()
    {
        var broken = _front.AddTrainer(0);
        await CreateAsync(Spec());
        await FormsAsync(broken);
        var other = _front.AddTrainer(1);

        Assert.Equal(TrainerOrder.Leave, await broken.ReportAsync(report => report with { Phase = TrainerPhase.Unable, Message = "the disk is full" }));
        await FormsAsync(other);

        Assert.Null(broken.Job);
    }

    [Fact]
    public async Task Checkpoints_AreKeptThreeDeep_AndADamagedOneIsLeftOut()
    {
        var trainer = _front.AddTrainer(0);
        await CreateAsync(Spec());
        await FormsAsync(trainer);
        var made = Enumerable.Range(1, 4).Select(step => new TrainingCheckpoint(step, ObjectId.Of([(byte)step]), 10, DateTimeOffset.UnixEpoch, 1)).ToArray();
        foreach (var checkpoint in made)
        {
            await trainer.ReportAsync(report => report with { Checkpoint = checkpoint });
        }

        Assert.Equal([made[3], made[2], made[1]], await _front.Job(_job).CheckpointsAsync(Stop));
        await trainer.ReportAsync(report => report with { Damaged = [made[3].Object] });

        Assert.Equal([made[2], made[1]], await _front.Job(_job).CheckpointsAsync(Stop));
        Assert.Contains((await _front.Job(_job).EventsAsync(0, 100, Stop)), line => line.Message.Contains("step 4 is damaged", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Groups_ThatBreakWithoutAStepBetween_EndTheJob()
    {
        var trainer = _front.AddTrainer(0);
        await CreateAsync(Spec());
        await ReportUntilAsync(async () => (await _front.Job(_job).GetAsync(Stop))!.Status == TrainingJobStatus.Failed, async () =>
            await trainer.ReportAsync(report => trainer.Group is null ? report : report with { Phase = TrainerPhase.Parted }));
    }

    private async Task<ObjectId> StoreAsync(byte[] content)
    {
        var id = ObjectId.Of(content);
        Assert.Null(await _front.Objects.PutAsync(Ours, id, content, Stop));
        return id;
    }

    private Task<TrainingJobAnswer> CreateAsync(TrainingJobSpec spec) => _front.Job(_job).CreateAsync(spec, Stop);

    private Task FormsAsync(ScriptedTrainer trainer) => ReportUntilAsync(() => trainer.Group is not null, trainer);

    private Task ReportUntilAsync(Func<bool> condition, params ScriptedTrainer[] trainers) => ReportUntilAsync(() => Task.FromResult(condition()), trainers);

    private Task ReportUntilAsync(Func<Task<bool>> condition, params ScriptedTrainer[] trainers) =>
        ReportUntilAsync(condition, () => Task.WhenAll(trainers.Select(trainer => trainer.ReportAsync())));

    private Task ReportUntilAsync(Func<bool> condition, Func<Task> report) => ReportUntilAsync(() => Task.FromResult(condition()), report);

    private async Task ReportUntilAsync(Func<Task<bool>> condition, Func<Task> report)
    {
        while (!await condition())
        {
            await report();
            await Task.Delay(TimeSpan.FromMilliseconds(100), Stop); // the pace of reports
        }
    }

    private async Task<List<TrainingEvent>> WatchAsync()
    {
        var events = new List<TrainingEvent>();
        await foreach (var line in _front.Job(_job).WatchAsync(0, Stop).WithCancellation(Stop))
        {
            events.Add(line);
        }

        return events;
    }

    private static TrainingJobSpec Spec() => new() { Model = ScriptedEngineHost.ModelName, TrainingFile = ObjectId.Of([9]), Options = new TuningOptions(), AdapterName = "formal" };
}
