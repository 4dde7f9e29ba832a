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
    private readonly TimeProvider _time;
    private readonly EngineInstruments _instruments;
    private readonly ILogger _logger;
    private readonly PrefixCache _prefixes;
    private readonly LiveRequests _requests;
    private readonly StepExecutor _executor;
    private readonly TokenPublisher _publisher;
    private readonly Action<CacheKey, Exception> _loadFailed;

    public EngineCore(
        EngineModel model, EngineOptions options, IModelRunner runner, TimeProvider time, EngineInstruments instruments, ILogger logger, Action wake)
    {
        _time = time;
        _instruments = instruments;
        _logger = logger;
        Blocks = new BlockAllocator(options.KvBlocks);
        _prefixes = new PrefixCache(Blocks);
        Features = new ImageFeatureCache(options.ImageCacheTokens);
        Pixels = new PixelPool(options, time, wake);
        Scheduler = new Scheduler(options, Blocks, _prefixes, Features, Pixels, time);
        _requests = new LiveRequests(options, Blocks, Features, Scheduler, Pixels, time, instruments, logger);
        _executor = new StepExecutor(runner, Pixels, model.VocabularySize);
        _publisher = new TokenPublisher(model, instruments, time);
        _loadFailed = _requests.OnLoadFailed;
    }

    public IReadOnlyList<LiveRequest> Live => _requests.All;

    public Scheduler Scheduler { get; }

    public BlockAllocator Blocks { get; }

    public ImageFeatureCache Features { get; }

    public PixelPool Pixels { get; }

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
        SettleImages(plan);
        var before = GeneratedTokens;
        var (sampled, right) = SettleRows(plan);
        Book(plan, (int)(GeneratedTokens - before), sampled, right, _time.GetElapsedTime(started));
        return StepOutcome.Worked;
    }

    /// <summary>Ends every request with the same failure.</summary>
    public void FailAll(FailureKind kind, string message) => _requests.FailAll(kind, message);

    /// <summary>The engine's state cannot be trusted any more.</summary>
    public void Abandon()
    {
        IsFaulted = true;
        _requests.Abandon();
    }

    /// <summary>Makes everything cached for a tenant unfindable; returns how many blocks and images there were.</summary>
    public (int Blocks, int Images) Erase(string tenant) => (_prefixes.RemoveOwnedBy(tenant), Features.RemoveOwnedBy(tenant));

    private void SettleImages(StepPlan plan)
    {
        foreach (var encode in plan.Encodes)
        {
            if (_executor.FailedSlots.ContainsKey(encode.Slot))
            {
                Features.MarkFailed(encode.Slot);
            }
            else
            {
                Features.MarkReady(encode.Slot);
                Pixels.Encoded(encode.Key);
            }
        }
    }

    /// <summary>Rows whose next token was drawn, and guesses that were right.</summary>
    private (int Sampled, int Right) SettleRows(StepPlan plan)
    {
        var (sampled, right, failed) = (0, 0, 0);
        for (var i = 0; i < plan.Rows.Count; i++)
        {
            var row = plan.Rows[i];
            var result = _executor.Results[i];
            var request = LiveRequests.OwnerOf(row.Sequence);
            if (result.Fault is not null)
            {
                failed++;
            }
            else if (!request.IsDone)
            {
                var samples = row.Samples;
                Scheduler.Commit(row);
                if (samples)
                {
                    sampled++;
                    right += PublishAll(request, row, result);
                }
            }
        }

        if (failed > 0)
        {
            FailRows(plan, failed);
        }

        return (sampled, right);
    }

    private void FailRows(StepPlan plan, int failed)
    {
        // Where anything came out, the device works and the fault is the rows' own. Otherwise it is asked, for a lost device and a poisoned request look alike.
        var nothingCameOut = failed == plan.Rows.Count && _executor.FailedSlots.Count == plan.Encodes.Count;
        IsFaulted |= nothingCameOut && !_executor.DeviceAnswers();
        for (var i = 0; i < plan.Rows.Count; i++)
        {
            if (_executor.Results[i].Fault is { } fault)
            {
                var kind = IsFaulted ? FailureKind.DeviceFault : _executor.FailedSlots.ContainsValue(fault) ? FailureKind.Image : FailureKind.Poisoned;
                _requests.Fail(LiveRequests.OwnerOf(plan.Rows[i].Sequence), kind, "The model could not compute this request", fault);
            }
        }

        if (IsFaulted)
        {
            _requests.FailAll(FailureKind.DeviceFault, "The device fails every request.");
        }
    }

    // A guess that comes true was computed already: its logits give the next token. Draws depend on nothing but logits and positions, so they are those of a run without guesses.
    private int PublishAll(LiveRequest request, in StepRow row, RowResult result)
    {
        var (sequence, known, right) = (row.Sequence, row.Start + row.Count, 0);
        while (Publish(request, sequence, _executor.LogitsOf(result, right)))
        {
            while (right < row.Guesses && known + right < sequence.Length && sequence.Tokens[known + right] == sequence.Guess[right])
            {
                right++;
            }

            if (right > 0)
            {
                Scheduler.Commit(row with { Count = row.Count + right });
            }

            if (known + right < sequence.Length)
            {
                break;
            }
        }

        sequence.Guesses.Add(row.Guesses, right);
        return right;
    }

    /// <summary>Whether the choice goes on.</summary>
    private bool Publish(LiveRequest request, Sequence sequence, ReadOnlySpan<float> logits)
    {
        var choice = (Choice)sequence.Tag!;
        try
        {
            if (_publisher.Publish(request, choice, logits) is { } failure)
            {
                DistrustIfBroken(request, failure);
                _requests.Fail(request, failure.Kind, failure.Message);
                return false;
            }
        }
        catch (Exception fault)
        {
            // The edge of fault isolation: a constraint or a decoder that throws fails its own request.
            _requests.Fail(request, FailureKind.Poisoned, "The answer's next token could not be drawn", fault);
            return false;
        }

        if (request.IsDone)
        {
            _requests.Finish(request);
        }
        else if (choice.Finish is not null)
        {
            Scheduler.Remove(sequence);
        }

        return choice.Finish is null && !request.IsDone;
    }

    // Prompts are cached chunk by chunk, long before their scores tell whether what was computed makes sense.
    private void DistrustIfBroken(LiveRequest request, RequestFailure failure)
    {
        if (failure.Kind != FailureKind.NotFinite)
        {
            return;
        }

        foreach (var choice in request.Choices)
        {
            if (choice.Sequence is { } sequence)
            {
                Scheduler.Distrust(sequence);
            }
        }
    }

    private void Book(StepPlan plan, int generated, int sampled, int right, TimeSpan elapsed)
    {
        Steps++;
        ComputedTokens += plan.Tokens;
        if (elapsed > TimeSpan.Zero)
        {
            var rate = (plan.Tokens + plan.ImageTokens) / elapsed.TotalSeconds;
            TokensPerSecond = TokensPerSecond == 0 ? rate : (0.95 * TokensPerSecond) + (0.05 * rate);
        }

        Scheduler.Learn(sampled, elapsed);
        _instruments.OnStep(elapsed, plan.Tokens, generated, plan.Guesses, right, plan.Preempted.Count);
    }

    [LoggerMessage(LogLevel.Debug, "Preempted {Sequences} sequences; {Blocks} blocks are available.")]
    private static partial void LogPreempted(ILogger logger, int sequences, int blocks);
}
