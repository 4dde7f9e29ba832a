using LlavaCluster.Engine.Execution;
using LlavaCluster.Engine.Tests.Support;
using LlavaCluster.Model.Weights;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using static LlavaCluster.Engine.Tests.Support.Requests;

namespace LlavaCluster.Engine.Tests.Execution;

public sealed class LlmEngineTests : IAsyncDisposable
{
    private readonly EngineOptions _options = new() { BlockSize = 4, KvBlocks = 64, MaxTokensPerStep = 80, MaxWaitingSequences = 2 };
    private readonly FakeTimeProvider _time = new();
    private readonly DeviceThread _device = new("test");
    private readonly EngineInstruments _instruments = new();
    private readonly HashRunner _runner;
    private readonly LlmEngine _engine;
    private readonly ManualResetEventSlim _entered = new();
    private readonly ManualResetEventSlim _go = new();

    public LlmEngineTests()
    {
        _runner = new HashRunner(_options, Vocabulary);
        _engine = new LlmEngine(Requests.Model, _options, _device, _runner, _time, _instruments, NullLogger.Instance);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Submit_Accepted_StreamsTokensAndUsage()
    {
        var request = Of("a", 5, Image(1, 4), Text(1, 2, 3));
        var updates = await ReadAsync(_engine.Submit(request, Token));
        Assert.Equal(EngineBench.Tokens(EngineBench.Alone(request)), EngineBench.Tokens(updates));
        Assert.Equal(new RequestUsage(7, 4, 0, updates.Count), updates[^1].Usage);
    }

    [Fact]
    public async Task Health_WhenAStepHangs_FlipsAndComesBack()
    {
        Hold();
        var submission = _engine.Submit(Of("a", 1, Text(1)), Token);
        _entered.Wait(Token);
        Assert.Equal(EngineHealth.Ready, _engine.Health);
        _time.Advance(_options.StepTimeout);
        Assert.Equal(EngineHealth.Hung, _engine.Health);
        Assert.Equal(RejectionReason.Unavailable, Assert.IsType<Submission.Rejected>(_engine.Submit(Of("a", 1, Text(1)), Token)).Reason);
        _go.Set();
        await ReadAsync(submission);
        await _engine.DrainAsync(Token);
        Assert.Equal(EngineHealth.Ready, _engine.Health);
    }

    [Fact]
    public async Task Health_WhenAStepHangs_EndsItsStreamsForAnotherWorkerAndGivesEverythingBackAfterwards()
    {
        Hold();
        var submission = _engine.Submit(Of("a", 100, Text(1)).With(s => s with { Choices = 2, IgnoreEos = true }), Token);
        _entered.Wait(Token);
        _time.Advance(_options.StepTimeout);
        var updates = await ReadAsync(submission);
        Assert.All(updates, update => Assert.Equal(FailureKind.DeviceFault, update.Failure!.Kind));
        Assert.Equal([0, 1], updates.Select(update => update.Choice));
        Assert.NotNull(updates[^1].Usage);
        _go.Set();
        await _engine.DrainAsync(Token);
        Assert.Equal((EngineHealth.Ready, _options.KvBlocks), (_engine.Health, _engine.GetStatus().FreeBlocks));
    }

    [Fact]
    public async Task Health_WhenOtherWorkKeepsTheDevice_FlipsToo()
    {
        var other = _device.RunAsync(Wait, Token);
        _entered.Wait(Token);
        var submission = _engine.Submit(Of("a", 1, Text(1)), Token);
        Assert.True(SpinWait.SpinUntil(() => _device.HasWaiting, TimeSpan.FromSeconds(30)), "The engine should ask for the device.");
        _time.Advance(_options.StepTimeout);
        Assert.Equal(EngineHealth.Hung, _engine.Health);
        _go.Set();
        await other;
        Assert.Equal(FailureKind.DeviceFault, (await ReadAsync(submission))[^1].Failure!.Kind);
    }

    [Fact]
    public async Task Submit_WhileOtherWorkAlwaysWaitsForTheDevice_StillRuns()
    {
        var stop = false;
        void Work()
        {
            // The next one is queued before this one ends, so that something always waits.
            _ = Volatile.Read(ref stop) ? null : _device.RunAsync(Work, Token);
        }

        await _device.RunAsync(Work, Token);
        await _device.RunAsync(Work, Token);
        var submission = _engine.Submit(Of("a", 3, Text(1)).With(s => s with { IgnoreEos = true }), Token);
        var updates = await ReadAsync(submission).WaitAsync(TimeSpan.FromSeconds(30), Token);
        Volatile.Write(ref stop, true);
        Assert.Equal(3, EngineBench.Tokens(updates).Length);
    }

    [Fact]
    public async Task LoadAdapterAsync_WhileAStepRuns_TakesEffectAfterIt()
    {
        Hold();
        var running = _engine.Submit(Of("a", 3, Text(1)).With(s => s with { IgnoreEos = true }), Token);
        _entered.Wait(Token);
        var loading = _engine.LoadAdapterAsync(EngineBench.DigestOf(1), NoWeights(), Token);
        Assert.Equal(RejectionReason.AdapterMissing, Assert.IsType<Submission.Rejected>(_engine.Submit(Of("a", 3, Text(1)) with { Adapter = EngineBench.DigestOf(1) }, Token)).Reason);
        Assert.False(loading.IsCompleted);
        _go.Set();

        Assert.Null(await loading);

        await ReadAsync(running);
        Assert.Null((await ReadAsync(_engine.Submit(Of("a", 3, Text(1)) with { Adapter = EngineBench.DigestOf(1) }, Token)))[^1].Failure);
        Assert.True(_engine.HasAdapter(EngineBench.DigestOf(1)));
        Assert.Equal((1, 1L), (_engine.GetStatus().Adapters, _engine.GetStatus().AdapterBytes));
    }

    [Fact]
    public async Task LoadAdapterAsync_AfterTheEngineHasStopped_IsRefused()
    {
        await _engine.DisposeAsync();
        Assert.Equal(RejectionReason.Unavailable, (await _engine.LoadAdapterAsync(EngineBench.DigestOf(1), NoWeights(), Token))!.Reason);
    }

    [Fact]
    public async Task LoadAdapterAsync_WhenTheDeviceRefusesIt_ThrowsAndTheEngineGoesOn()
    {
        _runner.AddFault = new InvalidOperationException("no memory");
        await Assert.ThrowsAsync<InvalidOperationException>(() => _engine.LoadAdapterAsync(EngineBench.DigestOf(1), NoWeights(), Token));
        Assert.Equal(EngineHealth.Ready, _engine.Health);
        Assert.Equal(2, EngineBench.Tokens(await ReadAsync(_engine.Submit(Of("a", 2, Text(1)).With(s => s with { IgnoreEos = true }), Token))).Length);
    }

    [Fact]
    public async Task EraseTenantAsync_AfterTheEngineHasStopped_FindsNothing()
    {
        await _engine.DisposeAsync();
        Assert.Equal(default, await _engine.EraseTenantAsync("a", new HashSet<ContentDigest>(), Token).WaitAsync(TimeSpan.FromSeconds(30), Token));
    }

    [Fact]
    public async Task Submit_WhenTheQueueIsFull_IsRejectedWithAHintUntilThereIsRoom()
    {
        Hold();
        var first = _engine.Submit(Of("a", 1, Text(1)), Token);
        _entered.Wait(Token);
        var waiting = Enumerable.Range(0, 2).Select(i => _engine.Submit(Of("a", 1, Text(i)), Token)).ToList();
        var rejected = Assert.IsType<Submission.Rejected>(_engine.Submit(Of("a", 1, Text(1)), Token));
        Assert.Equal((RejectionReason.Overloaded, "At most 2 choices may wait; 2 do."), (rejected.Reason, rejected.Message));
        Assert.NotNull(rejected.RetryAfter);
        _go.Set();
        await Task.WhenAll(waiting.Append(first).Select(ReadAsync));
        Assert.IsType<Submission.Accepted>(_engine.Submit(Of("a", 1, Text(1)), Token));
    }

    [Fact]
    public async Task Refusal_SaysWhatSubmitWouldWithoutARequest()
    {
        Assert.Null(_engine.Refusal());
        Hold();
        var first = _engine.Submit(Of("a", 1, Text(1)), Token);
        _entered.Wait(Token);
        var waiting = Enumerable.Range(0, 2).Select(i => _engine.Submit(Of("a", 1, Text(i)), Token)).ToList();
        Assert.Equal((RejectionReason.Overloaded, "At most 2 choices may wait; 2 do."), (_engine.Refusal()!.Reason, _engine.Refusal()!.Message));
        // A full engine says so before it looks at what is asked.
        Assert.Equal(RejectionReason.Overloaded, Assert.IsType<Submission.Rejected>(_engine.Submit(Of("a", 1, Text(ImageToken)), Token)).Reason);
        _time.Advance(_options.StepTimeout);
        Assert.Equal(RejectionReason.Unavailable, _engine.Refusal()!.Reason);
        _go.Set();
        await Task.WhenAll(waiting.Append(first).Select(ReadAsync));
        await _engine.DrainAsync(Token);
        Assert.Equal("The engine is draining.", _engine.Refusal()!.Message);
    }

    [Fact]
    public async Task DisposeAsync_WhenAStepHangs_LeavesItAfterItsTime()
    {
        Hold();
        _ = _engine.Submit(Of("a", 1, Text(1)), Token);
        _entered.Wait(Token);
        var disposed = _engine.DisposeAsync();
        _time.Advance(_options.StepTimeout);
        await disposed.AsTask().WaitAsync(TimeSpan.FromSeconds(30), Token);
        Assert.Equal((false, false, EngineHealth.Stopped), (_engine.HasEnded, _runner.IsDisposed, _engine.Health));
    }

    [Fact]
    public async Task Health_WhenTheEnginesOwnStateBreaks_StaysFaultedAndTheEngineStops()
    {
        _runner.OnDrop = () =>
        {
            _runner.OnDrop = null;
            throw new InvalidOperationException("broken");
        };
        var updates = await ReadAsync(_engine.Submit(Of("a", 5, Text(1)), Token));
        Assert.Equal(FailureKind.DeviceFault, Assert.Single(updates).Failure!.Kind);
        await _engine.DrainAsync(Token).WaitAsync(TimeSpan.FromSeconds(30), Token);
        Assert.Equal(EngineHealth.Faulted, _engine.Health);
    }

    [Fact]
    public async Task Submit_WhenTheCallerCancels_EndsTheStreamAndGivesTheBlocksBack()
    {
        using var cancel = new CancellationTokenSource();
        Hold();
        var submission = _engine.Submit(Of("a", 100, Text(1)).With(s => s with { IgnoreEos = true }), cancel.Token);
        _entered.Wait(Token);
        await cancel.CancelAsync();
        _go.Set();
        Assert.Equal(FinishReason.Cancelled, (await ReadAsync(submission))[^1].Finish);
        await _engine.DrainAsync(Token);
        Assert.Equal(_options.KvBlocks, _engine.GetStatus().FreeBlocks);
    }

    [Fact]
    public async Task DisposeAsync_WithWorkUnderWay_EndsItRetryablyAndDisposesTheRunner()
    {
        Hold();
        var submission = _engine.Submit(Of("a", 100, Text(1)).With(s => s with { IgnoreEos = true }), Token);
        _entered.Wait(Token);
        var disposed = _engine.DisposeAsync();
        _go.Set();
        await disposed;
        Assert.Equal(FailureKind.EngineStopped, (await ReadAsync(submission))[^1].Failure!.Kind);
        Assert.True(_runner.IsDisposed);
        Assert.Equal(EngineHealth.Stopped, _engine.Health);
        Assert.Equal(RejectionReason.Unavailable, Assert.IsType<Submission.Rejected>(_engine.Submit(Of("a", 1, Text(1)), Token)).Reason);
    }

    [Fact]
    public async Task DrainAsync_FinishesWhatRunsAndRefusesWhatComes()
    {
        Hold();
        var submission = _engine.Submit(Of("a", 3, Text(1)).With(s => s with { IgnoreEos = true }), Token);
        _entered.Wait(Token);
        var drained = _engine.DrainAsync(Token);
        Assert.IsType<Submission.Rejected>(_engine.Submit(Of("a", 1, Text(1)), Token));
        _go.Set();
        await drained;
        Assert.Equal(3, EngineBench.Tokens(await ReadAsync(submission)).Length);
    }

    public async ValueTask DisposeAsync()
    {
        _go.Set();
        await _engine.DisposeAsync();
        await _device.DisposeAsync();
        _instruments.Dispose();
        _entered.Dispose();
        _go.Dispose();
    }

    private static LoraWeights NoWeights() => new(new Dictionary<string, LoraFactors>(), new Dictionary<string, TorchSharp.torch.Tensor>());

    private static async Task<List<TokenUpdate>> ReadAsync(Submission submission) =>
        await Assert.IsType<Submission.Accepted>(submission).Updates.ReadAllAsync(Token).ToListAsync(Token);

    /// <summary>The next forward pass says that it has begun and waits.</summary>
    private void Hold() => _runner.OnDevice = Wait;

    private void Wait()
    {
        _entered.Set();
        _go.Wait();
    }
}
