using LlavaCluster.Engine.Adapters;
using LlavaCluster.Engine.Caching;
using LlavaCluster.Engine.Generation;
using LlavaCluster.Engine.Scheduling;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Engine.Execution;

/// <summary>What a call of <see cref="EngineCore.Step"/> found to do.</summary>
internal enum StepOutcome
{
    /// <summary>No request is there.</summary>
    Idle,

    /// <summary>Requests are there, but all wait for pixels or for their readers.</summary>
    Stalled,

    Worked,
}

/// <summary>
/// One engine without its thread: takes requests in, and with each <see cref="Step"/> plans, runs, samples and publishes once. Owns the caches, not
/// the runner. All members belong to one thread.
/// </summary>
internal sealed partial class EngineCore
{
    // How long it may take until a request that has pinned its adapter ends: nobody knows, so that asking soon costs little.
    private static readonly TimeSpan AdapterRetry = TimeSpan.FromSeconds(1);

    private readonly IModelRunner _runner;
    private readonly TimeProvider _time;
    private readonly EngineInstruments _instruments;
    private readonly ILogger _logger;
    private readonly PrefixCache _prefixes;
    private readonly LiveRequests _requests;
    private readonly StepExecutor _executor;
    private readonly TokenPublisher _publisher;
    private readonly StepSettlement _settlement;
    private readonly Action<CacheKey, Exception> _loadFailed;
    private readonly List<int> _evicted = [];

    public EngineCore(
        EngineModel model, EngineOptions options, IModelRunner runner, TimeProvider time, EngineInstruments instruments, ILogger logger, Action wake)
    {
        _runner = runner;
        _time = time;
        _instruments = instruments;
        _logger = logger;
        Blocks = new BlockAllocator(options.KvBlocks);
        _prefixes = new PrefixCache(Blocks);
        Features = new ImageFeatureCache(options.ImageCacheTokens);
        Adapters = new AdapterTable(options.AdapterBytes);
        Pixels = new PixelPool(options, time, wake);
        Scheduler = new Scheduler(options, Blocks, _prefixes, Features, Pixels, runner.EncodingStages, time);
        _requests = new LiveRequests(options, Blocks, Features, Scheduler, Pixels, time, instruments, logger);
        _executor = new StepExecutor(runner, Pixels, model.VocabularySize);
        _publisher = new TokenPublisher(model, instruments, time);
        _settlement = new StepSettlement(_executor, Scheduler, Features, Pixels, _requests, _publisher, logger);
        _loadFailed = _requests.OnLoadFailed;
    }

    public IReadOnlyList<LiveRequest> Live => _requests.All;

    public Scheduler Scheduler { get; }

    public BlockAllocator Blocks { get; }

    public ImageFeatureCache Features { get; }

    public PixelPool Pixels { get; }

    public AdapterTable Adapters { get; }

    public long Steps { get; private set; }

    public long ComputedTokens { get; private set; }

    /// <summary>Tokens computed per second of step time, smoothed; 0 before the first step.</summary>
    public double TokensPerSecond { get; private set; }

    public long GeneratedTokens => _publisher.Generated;

    /// <summary>The device fails whatever is run.</summary>
    public bool IsFaulted { get; private set; }

    public void Accept(LiveRequest request)
    {
        if (IsFaulted)
        {
            request.EndAll(FinishReason.Failed, new RequestFailure(FailureKind.DeviceFault, "The device fails every request."));
            request.Adapter?.Release();
            return;
        }

        _requests.Add(request);
    }

    public StepOutcome Step()
    {
        if (IsFaulted)
        {
            // What an abandoned state still plans belongs to nobody.
            return StepOutcome.Idle;
        }

        var started = _time.GetTimestamp();
        Pixels.Collect(_loadFailed);
        _requests.DropEnded(started);
        var plan = Scheduler.Plan();
        foreach (var sequence in plan.Expired)
        {
            _requests.Fail(LiveRequests.OwnerOf(sequence), FailureKind.DeadlineExceeded, "The deadline passed before the answer was complete.");
        }

        Pixels.Start(plan.WantedPixels);
        if (plan.Preempted.Count > 0)
        {
            LogPreempted(_logger, plan.Preempted.Count, Blocks.Available);
        }

        if (!plan.HasWork && plan.DroppedSlots.Count == 0 && plan.Preempted.Count == 0)
        {
            return Live.Count == 0 ? StepOutcome.Idle : StepOutcome.Stalled;
        }

        _executor.Execute(plan);
        var before = GeneratedTokens;
        var (sampled, right) = _settlement.Settle(plan);
        if (_settlement.DeviceIsLost)
        {
            IsFaulted = true;
            _requests.FailAll(FailureKind.DeviceFault, "The device fails every request.");
        }

        Book(plan, (int)(GeneratedTokens - before), sampled, right, _time.GetElapsedTime(started));
        return StepOutcome.Worked;
    }

    /// <summary>Puts an adapter on the device, in the place of others that nobody uses; null where it is there, or why it is not.</summary>
    /// <param name="adapter">The engine's from now on.</param>
    public Submission.Rejected? AddAdapter(ContentDigest digest, IPreparedAdapter adapter)
    {
        _evicted.Clear();
        var refusal = IsFaulted ? new Submission.Rejected(RejectionReason.Unavailable, "The device fails every request.")
            : adapter.Bytes > Adapters.BudgetBytes ? new Submission.Rejected(RejectionReason.TooLarge, $"An adapter must take <= {Adapters.BudgetBytes} bytes on the device; this one takes {adapter.Bytes}.")
            : null;
        if (refusal is not null || Adapters.Contains(digest))
        {
            adapter.Dispose();
            return refusal;
        }

        if (!Adapters.TryReserve(digest, adapter.Bytes, adapter.ChangesFeatures, _evicted, out var slot))
        {
            adapter.Dispose();
            return new Submission.Rejected(RejectionReason.Overloaded, $"Adapters may take {Adapters.BudgetBytes} bytes on the device; those of running requests leave no room for {adapter.Bytes}.", AdapterRetry);
        }

        _evicted.ForEach(_runner.DropAdapter);
        try
        {
            _runner.AddAdapter(slot, adapter);
        }
        catch
        {
            Adapters.Forget(slot);
            adapter.Dispose();
            throw;
        }

        Adapters.Publish(slot);
        _instruments.OnAdapterLoaded(_evicted.Count);
        return null;
    }

    /// <summary>Ends every request with the same failure.</summary>
    public void FailAll(FailureKind kind, string message) => _requests.FailAll(kind, message);

    /// <summary>The engine's state cannot be trusted any more.</summary>
    public void Abandon()
    {
        IsFaulted = true;
        _requests.Abandon();
    }

    /// <summary>Makes everything cached for a tenant unfindable, once its cancelled requests have given back what they hold, and drops adapters that nobody uses.</summary>
    /// <param name="keep">Adapters that stay all the same.</param>
    public ErasedTenant Erase(string tenant, IReadOnlySet<ContentDigest> keep)
    {
        _requests.DropEnded(_time.GetTimestamp());
        _evicted.Clear();
        Adapters.RemoveUnused(keep, _evicted);
        _evicted.ForEach(_runner.DropAdapter);
        return new ErasedTenant(_prefixes.RemoveOwnedBy(tenant), Features.RemoveOwnedBy(tenant), _evicted.Count);
    }

    private void Book(StepPlan plan, int generated, int sampled, int right, TimeSpan elapsed)
    {
        Steps++;
        ComputedTokens += plan.Tokens;
        if (elapsed > TimeSpan.Zero)
        {
            var rate = (plan.Tokens - plan.Guesses + right + plan.ImageTokens) / elapsed.TotalSeconds;
            TokensPerSecond = TokensPerSecond == 0 ? rate : (0.95 * TokensPerSecond) + (0.05 * rate);
        }

        Scheduler.Learn(sampled, elapsed);
        _instruments.OnStep(elapsed, plan.Tokens, generated, plan.Guesses, right, plan.Preempted.Count);
    }

    [LoggerMessage(LogLevel.Debug, "Preempted {Sequences} sequences; {Blocks} blocks are available.")]
    private static partial void LogPreempted(ILogger logger, int sequences, int blocks);
}
