using System.Numerics;
using System.Threading.Channels;
using LlavaCluster.Engine.Adapters;
using LlavaCluster.Engine.Caching;
using LlavaCluster.Engine.Scheduling;

namespace LlavaCluster.Engine.Generation;

/// <summary>
/// An accepted request on its way: its choices, its images and its stream. Made by <see cref="RequestFactory"/> on the caller's thread, then owned by
/// the engine's thread, except for what says otherwise and the reading end of the stream.
/// </summary>
internal sealed class LiveRequest
{
    // Bounded by the engine: a request whose stream holds EngineOptions.UpdateBuffer updates is not run until some are read.
    private readonly Channel<TokenUpdate> _updates = Channel.CreateUnbounded<TokenUpdate>(new UnboundedChannelOptions { SingleWriter = true });
    private readonly Lock _writing = new();
    private (CancellationTokenRegistration Caller, CancellationTokenRegistration Hang) _listening;
    private volatile bool _cancelled;
    private volatile bool _done;
    private uint _ended; // one bit for each choice whose end is in the stream

    public required EngineRequest Request { get; init; }

    public required long Seed { get; init; }

    /// <summary>By choice.</summary>
    public required SequenceSpec[] Specs { get; init; }

    public required Choice[] Choices { get; init; }

    /// <summary>Every distinct image with the key of its features.</summary>
    public required IReadOnlyList<(CacheKey Key, PromptImage Image)> Images { get; init; }

    public required int ImageTokens { get; init; }

    /// <summary>Its hold on an adapter, released when it has ended; null for the base.</summary>
    public AdapterPin? Adapter { get; init; }

    public required long SubmittedAt { get; init; }

    /// <summary>Timestamp of the last token; null before the first.</summary>
    public long? LastTokenAt { get; set; }

    /// <summary>When its stream was first found full; null while there is room.</summary>
    public long? FullSince { get; set; }

    public bool IsCancelled => _cancelled;

    /// <summary>The stream is closed.</summary>
    public bool IsDone => _done;

    public ChannelReader<TokenUpdate> Updates => _updates.Reader;

    public int PromptTokens => Specs[0].PromptTokens;

    /// <summary>Tokens it has to compute before its first own ones, over all choices.</summary>
    public long WaitingTokens => Specs.Sum(s => (long)s.Tokens.Length);

    public int Unread => _updates.Reader.Count;

    /// <summary>Asks the engine to let go of it. Any thread.</summary>
    public void Cancel() => _cancelled = true;

    public bool AllFinished => Choices.All(choice => choice.Finish is not null);

    /// <summary>
    /// Until the request is done, the caller's token cancels it, and the token of a hung device ends its stream at once so that another worker can go on;
    /// the engine gives back what it holds when the device lets it.
    /// </summary>
    public void Listen(CancellationToken caller, CancellationToken hang, Action wake)
    {
        _listening.Caller = caller.UnsafeRegister(
            static state =>
            {
                var (request, wake) = ((LiveRequest, Action))state!;
                request.Cancel();
                wake();
            },
            (this, wake));
        _listening.Hang = hang.UnsafeRegister(
            static state =>
            {
                var request = (LiveRequest)state!;
                request.Cancel();
                request.EndAll(FinishReason.Failed, new RequestFailure(FailureKind.DeviceFault, "The device hangs."));
            },
            this);
    }

    /// <summary>Ends, without a token, the choices whose resumed tokens already were a complete answer.</summary>
    public void PublishReplayedEnds()
    {
        foreach (var choice in Choices)
        {
            if (choice.Finish is { } reason && choice.Sequence is null)
            {
                Publish(choice.EndWithoutToken(reason, null));
            }
        }
    }

    /// <summary>Puts an update into the stream, unless the choice has ended there; the last one of the request gets the usage and closes it. Any thread.</summary>
    public void Publish(TokenUpdate update)
    {
        lock (_writing)
        {
            Write(update);
        }
    }

    /// <summary>Ends every choice that has not ended in the stream, with the same reason, and closes it. Any thread.</summary>
    public void EndAll(FinishReason reason, RequestFailure? failure)
    {
        lock (_writing)
        {
            foreach (var choice in Choices)
            {
                Write(choice.EndWithoutToken(reason, failure));
            }
        }
    }

    /// <summary>Nobody listens to the tokens any more.</summary>
    public void StopListening()
    {
        // Not Dispose, which waits for a callback that may wait for this thread.
        _listening.Caller.Unregister();
        _listening.Hang.Unregister();
    }

    public RequestUsage Usage() => new(
        PromptTokens, ImageTokens, Math.Max(0, Choices[0].Sequence?.ReusedTokens ?? 0), Choices.Sum(c => c.History.EmittedCount));

    private void Write(TokenUpdate update)
    {
        var bit = 1u << update.Choice;
        if ((_ended & bit) != 0)
        {
            return;
        }

        _ended |= update.Finish is null ? 0 : bit;
        if (BitOperations.PopCount(_ended) < Choices.Length)
        {
            _updates.Writer.TryWrite(update);
            return;
        }

        _updates.Writer.TryWrite(update with { Usage = Usage() });
        _done = true;
        _updates.Writer.TryComplete();
        StopListening();
    }
}
