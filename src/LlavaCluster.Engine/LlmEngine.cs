using System.Collections.Concurrent;
using System.Threading.Channels;
using LlavaCluster.Engine.Execution;
using LlavaCluster.Engine.Generation;
using LlavaCluster.Model;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Weights;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Engine;

/// <summary>
/// Answers requests on one device: continuous batching over a paged KV cache, with prefix and image-feature caches. Knows nothing of
/// conversations, templates or the cluster. All members may be called from any thread; the model runs on the device thread alone.
/// </summary>
public sealed partial class LlmEngine : IAsyncDisposable
{
    // How many steps run before the device thread is offered to other work that waits for it.
    private const int StepsPerTurn = 32;
    private static readonly TimeSpan StalledRecheck = TimeSpan.FromMilliseconds(20);

    private readonly EngineOptions _options;
    private readonly DeviceThread _device;
    private readonly IModelRunner _runner;
    private readonly TimeProvider _time;
    private readonly EngineInstruments _instruments;
    private readonly ILogger _logger;
    private readonly RequestFactory _factory;
    private readonly EngineCore _core;
    private readonly Watchdog _watchdog;
    private readonly Inbox _inbox;
    private readonly ConcurrentQueue<Action<EngineCore>> _commands = [];
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ITimer _recheck;
    private readonly Func<StepOutcome> _turn;
    private readonly Task _loop;
    private CancellationTokenSource _hang = new();
    private int _disposed;

    /// <summary>For the factory and for tests with their own runner, which the engine disposes on the device thread.</summary>
    internal LlmEngine(
        EngineModel model, EngineOptions options, DeviceThread device, IModelRunner runner, TimeProvider time, EngineInstruments instruments, ILogger logger)
    {
        if (options.Validate() is { } violation)
        {
            throw new ArgumentException(violation, nameof(options));
        }

        (_options, _device, _runner, _time, _instruments, _logger) = (options, device, runner, time, instruments, logger);
        _core = new EngineCore(model, options, runner, time, instruments, logger, Wake);
        _factory = new RequestFactory(model, options, _core.Adapters, time);
        _inbox = new Inbox(options, _core);
        _watchdog = new Watchdog(options.StepTimeout, time, OnHung);
        _recheck = time.CreateTimer(_ => Wake(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _turn = RunTurn;
        instruments.Observe(GetStatus);
        _loop = Task.Run(LoopAsync);
    }

    /// <summary>Readiness.</summary>
    public EngineHealth Health => _stop.IsCancellationRequested ? EngineHealth.Stopped
        : _core.IsFaulted ? EngineHealth.Faulted
        : _watchdog.IsHung ? EngineHealth.Hung
        : EngineHealth.Ready;

    /// <summary>Whether nothing of it runs any more. Still false after <see cref="DisposeAsync"/> where a step hangs: then network and device thread are in use, and only the end of the process frees them.</summary>
    public bool HasEnded => _loop.IsCompleted;

    /// <summary>Allocates the KV cache on the device and starts serving.</summary>
    /// <param name="network">Stays the caller's; it must outlive the engine.</param>
    /// <param name="device">The thread that owns the network's device; it may serve other work too. Stays the caller's.</param>
    public static async Task<LlmEngine> StartAsync(
        LlavaNetwork network, EngineModel model, EngineOptions options, DeviceThread device, TimeProvider time, EngineInstruments instruments, ILogger<LlmEngine> logger, CancellationToken cancellationToken = default)
    {
        if (options.Validate() is { } violation)
        {
            throw new ArgumentException(violation, nameof(options));
        }

        var runner = await device.RunAsync(() => new ModelRunner(network, options, new TokenBans(model.ReservedTokens, model.EndTokens)), cancellationToken).ConfigureAwait(false);
        try
        {
            return new LlmEngine(model, options, device, runner, time, instruments, logger);
        }
        catch
        {
            await device.RunAsync(runner.Dispose, CancellationToken.None).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Why any request whatever would be refused now, for callers with work to do before they can submit; null where one may be taken in.</summary>
    public Submission.Rejected? Refusal()
    {
        var rejection = Unready() ?? _inbox.Refusal();
        if (rejection is not null)
        {
            _instruments.OnRejected(rejection.Reason);
        }

        return rejection;
    }

    /// <summary>
    /// Takes a request in or says why not. Laying it out and compiling its constraint take up to some tens of milliseconds of the calling thread. Cancelling the token at any
    /// time gives everything back and ends the stream.
    /// </summary>
    public Submission Submit(EngineRequest request, CancellationToken cancellationToken = default)
    {
        var submission = Admit(request, cancellationToken);
        if (submission is Submission.Rejected rejected)
        {
            _instruments.OnRejected(rejected.Reason);
        }

        return submission;
    }

    /// <summary>A snapshot for load reports.</summary>
    public EngineStatus GetStatus() => new()
    {
        Health = Health,
        Running = _core.Scheduler.Running.Count,
        Waiting = _core.Scheduler.Waiting.Count + _inbox.Sequences,
        WaitingTokens = _core.Scheduler.Waiting.Tokens + _inbox.Tokens,
        FreeBlocks = _core.Blocks.Available,
        TotalBlocks = _core.Blocks.Total,
        ImageTokensCached = _core.Features.UsedTokens,
        ImageTokenBudget = _core.Features.BudgetTokens,
        Adapters = _core.Adapters.Count,
        AdapterBytes = _core.Adapters.Bytes,
        Steps = _core.Steps,
        ComputedTokens = _core.ComputedTokens,
        GeneratedTokens = _core.GeneratedTokens,
        Preemptions = _core.Scheduler.Preemptions,
        PrefixQueries = _core.Scheduler.PrefixQueries,
        PrefixHits = _core.Scheduler.PrefixHits,
        ImageQueries = _core.Scheduler.ImageQueries,
        ImageHits = _core.Scheduler.ImageHits,
    };

    /// <summary>Whether requests for an adapter would find it now.</summary>
    public bool HasAdapter(ContentDigest digest) => _core.Adapters.Contains(digest);

    /// <summary>
    /// Loads an adapter between two steps, while everything goes on; null where requests for it find it now, or why they do not. It stays until others need its room and no request uses it.
    /// Cancelling ends the wait only.
    /// </summary>
    /// <param name="weights">Of this engine's model; the engine's from now on, whatever comes of it.</param>
    public async Task<Submission.Rejected?> LoadAdapterAsync(ContentDigest digest, LoraWeights weights, CancellationToken cancellationToken = default)
    {
        if (Unready() is { } refusal)
        {
            weights.Dispose();
            return refusal;
        }

        // On a thread of its own: it takes as long as the copy of an adapter, and what answers requests runs on the pool.
        var prepared = await Task.Factory.StartNew(() => _runner.PrepareAdapter(weights), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).ConfigureAwait(false);
        var done = new TaskCompletionSource<Submission.Rejected?>(TaskCreationOptions.RunContinuationsAsynchronously);
        _commands.Enqueue(core => AddAdapter(core, digest, prepared, done));
        Wake();
        await Task.WhenAny(done.Task, _loop).WaitAsync(cancellationToken).ConfigureAwait(false);
        if (done.Task.IsCompleted)
        {
            return await done.Task.ConfigureAwait(false);
        }

        prepared.Dispose(); // the engine has stopped, and nobody will take it
        return new Submission.Rejected(RejectionReason.Unavailable, "The engine is Stopped.");
    }

    /// <summary>Makes every cached block and image of a tenant unfindable, and takes adapters from the device. Its running requests must have been cancelled.</summary>
    /// <param name="keep">Adapters that others have; those that running requests use stay as well.</param>
    public async Task<ErasedTenant> EraseTenantAsync(string tenant, IReadOnlySet<ContentDigest> keep, CancellationToken cancellationToken = default)
    {
        var done = new TaskCompletionSource<ErasedTenant>(TaskCreationOptions.RunContinuationsAsynchronously);
        _commands.Enqueue(core => done.TrySetResult(core.Erase(tenant, keep)));
        Wake();
        // An engine that has stopped has nothing left to erase, and nobody who would answer.
        await Task.WhenAny(done.Task, _loop).WaitAsync(cancellationToken).ConfigureAwait(false);
        return done.Task.IsCompletedSuccessfully ? await done.Task.ConfigureAwait(false) : default;
    }

    /// <summary>Refuses new requests and returns when the last accepted one has ended.</summary>
    public async Task DrainAsync(CancellationToken cancellationToken = default)
    {
        _inbox.Close();
        Wake();
        await _drained.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Ends what still runs with <see cref="FailureKind.EngineStopped"/>, frees the device memory and stops. A step that hangs is waited for <see cref="EngineOptions.StepTimeout"/> and then left alone.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        using var late = new CancellationTokenSource(_options.StepTimeout, _time);
        _inbox.Close();
        await _stop.CancelAsync().ConfigureAwait(false);
        Wake();
        try
        {
            await _loop.WaitAsync(late.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested)
        {
            // The device thread still uses what would be disposed below.
            LogLeft(_logger, _options.StepTimeout.TotalSeconds);
            return;
        }

        await _core.Pixels.StopAsync().ConfigureAwait(false);
        await _recheck.DisposeAsync().ConfigureAwait(false);
        await _watchdog.DisposeAsync().ConfigureAwait(false);
        _stop.Dispose();
    }

    private Submission Admit(EngineRequest request, CancellationToken cancellationToken)
    {
        var hang = Volatile.Read(ref _hang);
        // A full engine says so before it lays a request out.
        if ((Unready() ?? _inbox.Refusal()) is { } refusal)
        {
            return refusal;
        }

        var live = _factory.TryCreate(request, out var rejection);
        if (live is null)
        {
            return rejection!;
        }

        live.Listen(cancellationToken, hang.Token, Wake);
        rejection = _inbox.TryAdd(live);
        if (rejection is not null)
        {
            live.StopListening();
            live.Adapter?.Release();
            return rejection;
        }

        Wake();
        return new Submission.Accepted(live.Updates);
    }

    private Submission.Rejected? Unready() =>
        Health is not EngineHealth.Ready and var health ? new Submission.Rejected(RejectionReason.Unavailable, $"The engine is {health}.") : null;

    private void Wake() => _wake.Writer.TryWrite(true);

    /// <summary>Runs on a timer's thread.</summary>
    private void OnHung(TimeSpan elapsed)
    {
        LogHung(_logger, elapsed.TotalSeconds);
        // Not disposed: a submission may be about to take its token.
        Interlocked.Exchange(ref _hang, new CancellationTokenSource()).Cancel();
    }

    private async Task LoopAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            // Also watched while the device thread is busy with other work: to a request it is the same.
            _watchdog.Begin();
            var outcome = await _device.RunAsync(_turn).ConfigureAwait(false);
            if (outcome == StepOutcome.Idle && _inbox is { IsClosed: true, Sequences: 0 })
            {
                _drained.TrySetResult();
            }

            if (outcome != StepOutcome.Worked)
            {
                _recheck.Change(outcome == StepOutcome.Stalled ? StalledRecheck : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                await _wake.Reader.ReadAsync().ConfigureAwait(false);
            }
        }

        await _device.RunAsync(Stop).ConfigureAwait(false);
        _drained.TrySetResult();
    }

    /// <summary>Runs on the device thread: at least one step, and more while nobody else waits for it.</summary>
    private StepOutcome RunTurn()
    {
        StepOutcome outcome;
        var steps = 0;
        do
        {
            _watchdog.Begin();
            outcome = RunStep();
        }
        while (outcome == StepOutcome.Worked && ++steps < StepsPerTurn && !_device.HasWaiting && !_stop.IsCancellationRequested);
        _watchdog.End();
        return outcome;
    }

    private StepOutcome RunStep()
    {
        try
        {
            TakeIn();
            return _core.Step();
        }
        catch (Exception exception)
        {
            // A broken invariant of the engine itself: every request is told, and readiness goes away.
            LogBroken(_logger, exception);
            _core.Abandon();
            return StepOutcome.Idle;
        }
    }

    private void TakeIn()
    {
        while (_commands.TryDequeue(out var command))
        {
            command(_core);
        }

        _inbox.HandOver();
    }

    private static void AddAdapter(EngineCore core, ContentDigest digest, IPreparedAdapter adapter, TaskCompletionSource<Submission.Rejected?> done)
    {
        try
        {
            done.TrySetResult(core.AddAdapter(digest, adapter));
        }
        catch (Exception exception)
        {
            // The edge of a load: whoever asked for the adapter gets it, and the engine goes on without.
            done.TrySetException(exception);
        }
    }

    private void Stop()
    {
        TakeIn();
        _core.FailAll(FailureKind.EngineStopped, "The engine is shutting down.");
        _runner.Dispose();
    }

    [LoggerMessage(LogLevel.Critical, "A step has not ended for {Seconds} s; its requests are ended for another worker, and the engine is not ready until it does.")]
    private static partial void LogHung(ILogger logger, double seconds);

    [LoggerMessage(LogLevel.Critical, "The engine stops, but its last step has not ended for {Seconds} s; it is left to the end of the process.")]
    private static partial void LogLeft(ILogger logger, double seconds);

    [LoggerMessage(LogLevel.Critical, "The engine's own state is broken; it fails its requests and is no longer ready.")]
    private static partial void LogBroken(ILogger logger, Exception exception);
}
