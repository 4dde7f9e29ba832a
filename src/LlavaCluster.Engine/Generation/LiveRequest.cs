using System.Threading.Channels;
using LlavaCluster.Engine.Caching;
using LlavaCluster.Engine.Scheduling;

namespace LlavaCluster.Engine.Generation;

/// <summary>
/// An accepted request on its way: its choices, its images and its stream. Made by <see cref="RequestFactory"/> on the caller's thread, then owned by
/// the engine's thread, except for <see cref="Cancel"/> and the reading end of the stream.
/// </summary>
internal sealed class LiveRequest
{
    // Bounded by the engine: a request whose stream holds EngineOptions.UpdateBuffer updates is not run until some are read.
    private readonly Channel<TokenUpdate> _updates = Channel.CreateUnbounded<TokenUpdate>(new UnboundedChannelOptions { SingleWriter = true });
    private volatile bool _cancelled;
    private int _ended;

    public required EngineRequest Request { get; init; }

    public required long Seed { get; init; }

    /// <summary>By choice.</summary>
    public required SequenceSpec[] Specs { get; init; }

    public required Choice[] Choices { get; init; }

    /// <summary>Every distinct image with the key of its features.</summary>
    public required IReadOnlyList<(CacheKey Key, PromptImage Image)> Images { get; init; }

    public required int ImageTokens { get; init; }

    public required long SubmittedAt { get; init; }

    /// <summary>Timestamp of the last token; null before the first.</summary>
    public long? LastTokenAt { get; set; }

    /// <summary>When its stream was first found full; null while there is room.</summary>
    public long? FullSince { get; set; }

    public bool IsCancelled => _cancelled;

    public bool IsDone { get; private set; }

    /// <summary>Ends the caller's wish to be called; disposed when the request is done.</summary>
    public CancellationTokenRegistration Registration { get; set; }

    public ChannelReader<TokenUpdate> Updates => _updates.Reader;

    public int PromptTokens => Specs[0].PromptTokens;

    /// <summary>Tokens it has to compute before its first own ones, over all choices.</summary>
    public long WaitingTokens => Specs.Sum(s => (long)s.Tokens.Length);

    public int Unread => _updates.Reader.Count;

    /// <summary>May be called from any thread.</summary>
    public void Cancel() => _cancelled = true;

    public bool AllFinished
    {
        get
        {
            foreach (var choice in Choices)
            {
                if (choice.Finish is null)
                {
                    return false;
                }
            }

            return true;
        }
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

    /// <summary>Puts an update into the stream; the last one of the request gets the usage and closes it.</summary>
    public void Publish(TokenUpdate update)
    {
        if (update.Finish is not null && ++_ended == Choices.Length)
        {
            _updates.Writer.TryWrite(update with { Usage = Usage() });
            Complete();
        }
        else
        {
            _updates.Writer.TryWrite(update);
        }
    }

    /// <summary>Ends every open choice with the same reason and closes the stream.</summary>
    public void EndAll(FinishReason reason, RequestFailure? failure)
    {
        foreach (var choice in Choices)
        {
            if (choice.Finish is null)
            {
                Publish(choice.EndWithoutToken(reason, failure));
            }
        }
    }

    public RequestUsage Usage() => new(
        PromptTokens, ImageTokens, Math.Max(0, Choices[0].Sequence?.ReusedTokens ?? 0), Choices.Sum(c => c.History.EmittedCount));

    private void Complete()
    {
        IsDone = true;
        _updates.Writer.TryComplete();
        Registration.Dispose();
    }
}
