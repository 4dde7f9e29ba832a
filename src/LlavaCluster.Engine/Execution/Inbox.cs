using LlavaCluster.Engine.Generation;

namespace LlavaCluster.Engine.Execution;

/// <summary>
/// Requests that callers have handed in and the engine's thread has not yet taken. Together with what waits in the scheduler it is bounded; what is over the bound is
/// refused with a hint when to come again. Any thread, but for <see cref="HandOver"/>.
/// </summary>
internal sealed class Inbox(EngineOptions options, EngineCore core)
{
    private readonly Lock _gate = new();
    private readonly Queue<LiveRequest> _requests = [];
    private volatile bool _closed;
    private volatile int _sequences;
    private long _tokens;

    public bool IsClosed => _closed;

    /// <summary>Choices in it.</summary>
    public int Sequences => _sequences;

    /// <summary>Tokens that its requests have to compute before their first own ones.</summary>
    public long Tokens => Volatile.Read(ref _tokens);

    /// <summary>Why no request whatever would be taken in now, or null.</summary>
    public Submission.Rejected? Refusal()
    {
        lock (_gate)
        {
            return Refusal(choices: 1, tokens: 0);
        }
    }

    /// <summary>Takes a request in, or says why not.</summary>
    public Submission.Rejected? TryAdd(LiveRequest request)
    {
        lock (_gate)
        {
            if (Refusal(request.Choices.Length, request.WaitingTokens) is { } rejection)
            {
                return rejection;
            }

            _sequences += request.Choices.Length;
            _tokens += request.WaitingTokens;
            _requests.Enqueue(request);
            return null;
        }
    }

    /// <summary>From now on nothing is taken in.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _closed = true;
        }
    }

    /// <summary>Gives everything to the engine. On its thread.</summary>
    public void HandOver()
    {
        // What is handed over counts as waiting there before it stops counting here, so that the bound holds in between.
        while (Peek() is { } request)
        {
            core.Accept(request);
            lock (_gate)
            {
                _ = _requests.Dequeue();
                _sequences -= request.Choices.Length;
                _tokens -= request.WaitingTokens;
            }
        }
    }

    private LiveRequest? Peek()
    {
        lock (_gate)
        {
            return _requests.TryPeek(out var request) ? request : null;
        }
    }

    private Submission.Rejected? Refusal(int choices, long tokens)
    {
        if (_closed)
        {
            return new Submission.Rejected(RejectionReason.Unavailable, "The engine is draining.");
        }

        var waiting = core.Scheduler.Waiting;
        var sequences = waiting.Count + _sequences;
        var waitingTokens = waiting.Tokens + _tokens;
        var (what, most, was) = sequences + choices > options.MaxWaitingSequences ? ("choices", options.MaxWaitingSequences, sequences)
            : sequences > 0 && waitingTokens + tokens > options.MaxWaitingTokens ? ("tokens", options.MaxWaitingTokens, waitingTokens)
            : (null, 0, 0);
        if (what is null)
        {
            return null;
        }

        var seconds = core.TokensPerSecond > 0 ? Math.Clamp(waitingTokens / core.TokensPerSecond, 1, 60) : 1;
        return new Submission.Rejected(RejectionReason.Overloaded, $"At most {most} {what} may wait; {was} do.", TimeSpan.FromSeconds(seconds));
    }
}
