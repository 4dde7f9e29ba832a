using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Grains.Tests.Support;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Grains.Tests;

/// <summary>Erasures on a real silo with scripted workers: whom they wait for, and what they survive.</summary>
public sealed class TenantErasureTests : IAsyncLifetime
{
    private static readonly TenantId Ours = TenantId.Parse("ours");
    private static readonly TenantId Theirs = TenantId.Parse("theirs");

    private readonly DataFolder _data = new();
    private readonly CancellationTokenSource _deadline = new(TimeSpan.FromSeconds(60));
    private readonly Guid _id = Guid.NewGuid();
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
    public async Task Erasure_OfATenantAtWork_EndsItsTurnsAndJobsAndRemovesThem()
    {
        var trainer = _front.AddTrainer(0);
        var running = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _front.Engine(0).BeforeToken = async (_, left) =>
        {
            running.TrySetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, left);
        };
        _front.Engine(0).Erased = new ErasedCaches(5, 2, 1);
        await FillAsync(Theirs);
        var (conversation, job) = await FillAsync(Ours);
        var turn = TestFront.Ask("for ever");
        Assert.Null((await _front.Conversation(conversation).BeginTurnAsync(turn, Stop)).Failure);
        await running.Task.WaitAsync(Stop);
        var reader = _front.ReadAsync(conversation, turn.TurnId, 0, Stop);

        var erasure = await FinishAsync();

        Assert.Equal((new TenantContents(1, 1, 1, 1, 0, 1, 1), new ErasedCaches(5, 2, 1), null), (erasure.Found!.Value, erasure.Caches, erasure.WaitsFor));
        await Task.WhenAny(reader).WaitAsync(Stop); // told of an end or cut off
        Assert.NotEqual(job, trainer.Job);
        Assert.Null(await _front.Job(job).GetAsync(Stop));
        Assert.Null(await _front.Conversation(conversation).HistoryAsync(Stop));
        Assert.Empty(await _front.Adapters(Ours).ListAsync(Stop));
        Assert.Empty(await _front.Tenant(Ours).KeysAsync(Stop));
        Assert.Equal(0, (await _front.Tenant(Ours).UsageAsync(Stop)).Turns);
        Assert.Equal(0, (await _front.Objects.TotalsAsync(Ours, Stop)).Count);
        Assert.Equal(1, (await _front.Objects.TotalsAsync(Theirs, Stop)).Count);
        Assert.Single(await _front.Tenant(Theirs).KeysAsync(Stop));
        Assert.Single(await _front.Adapters(Theirs).ListAsync(Stop));
        // The same call is the same erasure; a new one finds nothing.
        Assert.Equal(erasure, await _front.Erasure(Ours).BeginAsync(_id, Stop));
        Assert.Equal(default(TenantContents), (await FinishAsync(Guid.NewGuid())).Found);
    }

    [Fact]
    public async Task Erasure_WhoseFrontStopsInTheMiddle_GoesOnAtTheNextWithWhatItHadFound()
    {
        _front.AddWorker(0).Erased = null;
        await FillAsync(Ours);
        await UntilAsync(_id, erasure => erasure.WaitsFor?.StartsWith("worker front/0", StringComparison.Ordinal) == true);
        await _front.DisposeAsync();

        _front = await TestFront.StartAsync(_data.Path, Stop);
        _front.AddWorker(0).Erased = new ErasedCaches(3, 0, 0);
        var erasure = await UntilAsync(Guid.NewGuid(), erasure => erasure.FinishedAt is not null);

        Assert.Equal((_id, new TenantContents(1, 1, 1, 1, 0, 1, 1), new ErasedCaches(3, 0, 0)), (erasure.Id, erasure.Found!.Value, erasure.Caches));
        Assert.Equal(0, (await _front.Objects.TotalsAsync(Ours, Stop)).Count);
    }

    private Task<TenantErasure> FinishAsync(Guid? id = null) => UntilAsync(id ?? _id, erasure => erasure.FinishedAt is not null);

    private async Task<TenantErasure> UntilAsync(Guid id, Func<TenantErasure, bool> condition)
    {
        while (true)
        {
            var erasure = await _front.Erasure(Ours).BeginAsync(id, Stop);
            if (condition(erasure))
            {
                return erasure;
            }

            id = erasure.Id;
            await Task.Delay(TimeSpan.FromMilliseconds(20), Stop);
        }
    }

    /// <summary>A key, a job, a conversation, an adapter and the one object of it.</summary>
    private async Task<(ConversationKey Conversation, TrainingJobKey Job)> FillAsync(TenantId tenant)
    {
        await _front.Tenant(tenant).CreateKeyAsync("label", ["chat"], Stop);
        var adapter = ObjectId.Of([7]);
        Assert.Null(await _front.Objects.PutAsync(tenant, adapter, new byte[] { 7 }, Stop));
        Assert.Null((await _front.Adapters(tenant).PublishAsync("formal", new(adapter, ScriptedEngineHost.ModelName, DateTimeOffset.UnixEpoch, 1, null, double.NaN, double.NaN), null, Stop)).Failure);
        var job = TrainingJobKey.New(tenant);
        Assert.Null((await _front.Job(job).CreateAsync(new TrainingJobSpec { Model = ScriptedEngineHost.ModelName, TrainingFile = adapter, Options = new TuningOptions(), AdapterName = "formal" }, Stop)).Failure);
        var conversation = ConversationKey.New(tenant);
        Assert.Null(await _front.Conversation(conversation).CreateAsync(Stop));
        return (conversation, job);
    }
}
