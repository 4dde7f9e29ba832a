using LlavaCluster.Engine.Caching;
using LlavaCluster.Engine.Generation;
using LlavaCluster.Engine.Sampling;
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
    // After so many steps in a row in which nothing could be computed, the device is taken for lost.
    private const int FruitlessLimit = 3;

    private readonly EngineOptions _options;
    private readonly TimeProvider _time;
    private readonly EngineInstruments _instruments;
    private readonly ILogger _logger;
    private readonly BlockAllocator _allocator;
    private readonly PrefixCache _prefixes;
    private readonly ImageFeatureCache _features;
    private readonly KeyHasher _hasher = new();
    private readonly PixelPool _pixels;
    private readonly Scheduler _scheduler;
    private readonly StepExecutor _executor;
    private readonly TokenPublisher _publisher;
    private readonly List<LiveRequest> _live = [];
    private readonly Action<CacheKey, Exception> _loadFailed;
    private int _fruitless;

    public EngineCore(
        EngineModel model, EngineOptions options, IModelRunner runner, TimeProvider time, EngineInstruments instruments, ILogger logger, Action wake)
    {
        _options = options;
        _time = time;
        _instruments = instruments;
        _logger = logger;
        _allocator = new BlockAllocator(options.KvBlocks);
        _prefixes = new PrefixCache(_allocator);
        _features = new ImageFeatureCache(options.ImageCacheTokens);
        _pixels = new PixelPool(options, wake);
        _scheduler = new Scheduler(options, _allocator, _prefixes, _features, _pixels, time);
        _executor = new StepExecutor(runner, _pixels, model.VocabularySize);
        _publisher = new TokenPublisher(model, instruments, time);
        _loadFailed = OnLoadFailed;
    }

    public IReadOnlyList<LiveRequest> Live => _live;

    public Scheduler Scheduler => _scheduler;

    public BlockAllocator Blocks => _allocator;

    public ImageFeatureCache Features => _features;

    public PixelPool Pixels => _pixels;

    public long Steps { get; private set; }

    public long ComputedTokens { get; private set; }

    /// <summary>Tokens computed per second of step time, smoothed; 0 before the first step.</summary>
    public double TokensPerSecond { get; private set; }

    public long GeneratedTokens => _publisher.Generated;

    /// <summary>The device fails whatever is run.</summary>
    public bool IsFaulted { get; private set; }

    public void Accept(LiveRequest request)
    {
        if (request.AllFinished)
        {
            // A resumed answer that was already complete.
            request.PublishReplayedEnds();
            return;
        }

        _live.Add(request);
        foreach (var (key, image) in request.Images)
        {
            _pixels.Add(key, image, _features.Contains(key));
        }

        for (var i = 0; i < request.Choices.Length; i++)
        {
            var choice = request.Choices[i];
            if (choice.Finish is null)
            {
                choice.Sequence = new Sequence(request.Specs[i], _allocator, _hasher, _options.BlockSize, choice);
                _scheduler.Add(choice.Sequence);
            }
        }

        request.PublishReplayedEnds();
    }

    public StepOutcome Step()
    {
        var started = _time.GetTimestamp();
        _pixels.Collect(_loadFailed);
        DropEnded(started);
        var plan = _scheduler.Plan();
        foreach (var sequence in plan.Expired)
        {
            Fail(OwnerOf(sequence), FailureKind.DeadlineExceeded, "The deadline passed before the answer was complete.");
        }

        _pixels.Start(plan.WantedPixels);
        if (plan.Preempted.Count > 0)
        {
            LogPreempted(_logger, plan.Preempted.Count, _allocator.Available);
        }

        if (!plan.HasWork && plan.DroppedSlots.Count == 0 && plan.Preempted.Count == 0)
        {
            return _live.Count == 0 ? StepOutcome.Idle : StepOutcome.Stalled;
        }

        _executor.Execute(plan);
        SettleImages(plan);
        var generated = SettleRows(plan);
        Book(plan, generated, _time.GetElapsedTime(started));
        return StepOutcome.Worked;
    }

    /// <summary>Ends every request with the same failure.</summary>
    public void FailAll(FailureKind kind, string message)
    {
        while (_live.Count > 0)
        {
            Fail(_live[^1], kind, message);
        }
    }

    /// <summary>The engine's state cannot be trusted any more.</summary>
    public void Abandon()
    {
        IsFaulted = true;
        foreach (var request in _live)
        {
            request.EndAll(FinishReason.Failed, new RequestFailure(FailureKind.DeviceFault, "The engine failed."));
        }

        _live.Clear();
    }

    /// <summary>Makes everything cached for a tenant unfindable; returns how many blocks and images there were.</summary>
    public (int Blocks, int Images) Erase(string tenant) => (_prefixes.RemoveOwnedBy(tenant), _features.RemoveOwnedBy(tenant));

    private static LiveRequest OwnerOf(Sequence sequence) => ((Choice)sequence.Tag!).Owner!;

    /// <summary>Lets go of cancelled requests, and pauses and resumes those whose stream is full.</summary>
    private void DropEnded(long now)
    {
        for (var i = _live.Count - 1; i >= 0; i--)
        {
            var request = _live[i];
            if (request.IsCancelled)
            {
                request.EndAll(FinishReason.Cancelled, null);
                Detach(request, "cancelled");
            }
            else if (request.Unread < _options.UpdateBuffer)
            {
                if (request.FullSince is not null)
                {
                    Pause(request, null);
                }
            }
            else if (request.FullSince is not { } since)
            {
                Pause(request, now);
            }
            else if (_time.GetElapsedTime(since, now) >= _options.UnreadTimeout)
            {
                Fail(request, FailureKind.Unread, $"No update was read for {_options.UnreadTimeout.TotalSeconds} s.");
            }
        }
    }

    private static void Pause(LiveRequest request, long? since)
    {
        request.FullSince = since;
        foreach (var choice in request.Choices)
        {
            if (choice.Sequence is { } sequence)
            {
                sequence.Paused = since is not null;
            }
        }
    }

    private void SettleImages(StepPlan plan)
    {
        foreach (var encode in plan.Encodes)
        {
            if (_executor.FailedSlots.ContainsKey(encode.Slot))
            {
                _features.MarkFailed(encode.Slot);
            }
            else
            {
                _features.MarkReady(encode.Slot);
                _pixels.Encoded(encode.Key);
            }
        }
    }

    private int SettleRows(StepPlan plan)
    {
        var (generated, failed) = (0, 0);
        for (var i = 0; i < plan.Rows.Count; i++)
        {
            var row = plan.Rows[i];
            var result = _executor.Results[i];
            var request = OwnerOf(row.Sequence);
            if (result.Fault is not null)
            {
                failed++;
            }
            else if (!request.IsDone)
            {
                var samples = row.Samples;
                _scheduler.Commit(row);
                if (samples)
                {
                    generated++;
                    Publish(request, row.Sequence, result);
                }
            }
        }

        if (failed > 0)
        {
            FailRows(plan, failed);
        }
        else if (plan.Rows.Count > 0)
        {
            _fruitless = 0;
        }

        return generated;
    }

    private void FailRows(StepPlan plan, int failed)
    {
        var repeated = _fruitless > 0;
        var fruitless = failed == plan.Rows.Count && _executor.FailedSlots.Count == 0;
        _fruitless = fruitless ? _fruitless + 1 : 0;
        IsFaulted |= _fruitless >= FruitlessLimit;
        for (var i = 0; i < plan.Rows.Count; i++)
        {
            if (_executor.Results[i].Fault is { } fault)
            {
                var request = OwnerOf(plan.Rows[i].Sequence);
                LogFault(_logger, fault, request.Request.Id);
                var kind = _executor.FailedSlots.ContainsValue(fault) ? FailureKind.Image
                    : fruitless && (failed > 1 || repeated) ? FailureKind.DeviceFault
                    : FailureKind.Poisoned;
                Fail(request, kind, $"The model could not compute this request ({fault.GetType().Name}).");
            }
        }

        if (IsFaulted)
        {
            FailAll(FailureKind.DeviceFault, "The device fails every request.");
        }
    }

    private void Publish(LiveRequest request, Sequence sequence, RowResult result)
    {
        var choice = (Choice)sequence.Tag!;
        var failure = _publisher.Publish(request, choice, _executor.LogitsOf(result));
        if (failure is { } kind)
        {
            Fail(request, kind, kind == FailureKind.NotFinite ? "The model's scores were not finite." : "The constraint leaves no token or costs too much.");
        }
        else if (request.IsDone)
        {
            Detach(request, "finished");
        }
        else if (choice.Finish is not null)
        {
            _scheduler.Remove(sequence);
        }
    }

    private void Book(StepPlan plan, int generated, TimeSpan elapsed)
    {
        Steps++;
        ComputedTokens += plan.Tokens;
        if (elapsed > TimeSpan.Zero)
        {
            var rate = (plan.Tokens + plan.ImageTokens) / elapsed.TotalSeconds;
            TokensPerSecond = TokensPerSecond == 0 ? rate : (0.95 * TokensPerSecond) + (0.05 * rate);
        }

        _instruments.OnStep(elapsed, plan.Tokens, generated, plan.Preempted.Count);
    }

    private void OnLoadFailed(CacheKey key, Exception error)
    {
        var message = error is ImageRefusedException ? error.Message : $"The pixels of an image could not be had ({error.GetType().Name}).";
        for (var i = _live.Count - 1; i >= 0; i--)
        {
            if (_live[i].Images.Any(image => image.Key == key))
            {
                LogFault(_logger, error, _live[i].Request.Id);
                Fail(_live[i], FailureKind.Image, message);
            }
        }
    }

    private void Fail(LiveRequest request, FailureKind kind, string message)
    {
        if (!request.IsDone)
        {
            request.EndAll(FinishReason.Failed, new RequestFailure(kind, message));
            Detach(request, kind.ToString());
        }
    }

    /// <summary>Gives back everything a finished request holds.</summary>
    private void Detach(LiveRequest request, string outcome)
    {
        _live.Remove(request);
        foreach (var choice in request.Choices)
        {
            if (choice.Sequence is { } sequence)
            {
                _scheduler.Remove(sequence);
            }
        }

        foreach (var (key, _) in request.Images)
        {
            _pixels.Remove(key);
        }

        _instruments.OnFinished(_time.GetElapsedTime(request.SubmittedAt), request.Usage(), outcome);
    }

    [LoggerMessage(LogLevel.Debug, "Preempted {Sequences} sequences; {Blocks} blocks are available.")]
    private static partial void LogPreempted(ILogger logger, int sequences, int blocks);

    [LoggerMessage(LogLevel.Error, "Request {RequestId} failed.")]
    private static partial void LogFault(ILogger logger, Exception exception, string requestId);
}
