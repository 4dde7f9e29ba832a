using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Workers;

namespace LlavaCluster.Grains.Conversations;

/// <summary>Which workers a turn has tried without success since it last moved, and when trying on is pointless.</summary>
internal sealed class AttemptLedger(TimeProvider clock)
{
    /// <summary>Counted from the loss, not from the last token; long enough for a worker's process to restart and load its model.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    /// <summary>A request that takes down each worker which begins it must not go through the whole cluster.</summary>
    private const int MostLost = 5;

    private readonly HashSet<WorkerKey> _excluded = [];
    private long? _stuckSince;
    private int _lost;
    private bool _begun;
    private ChatFailure? _lastOverload;

    public IReadOnlySet<WorkerKey> Excluded => _excluded;

    /// <summary>Set when the turn must end with a failure.</summary>
    public ChatFailure? Failure { get; private set; }

    /// <summary>Takes what a worker said, once it is durable. Only a token is progress: each worker counts the prompt before it can be lost to it.</summary>
    public void Hear(List<GenerateUpdate> said)
    {
        _begun |= said.Exists(update => !update.Completed);
        if (said.Exists(update => update.Token >= 0))
        {
            (_stuckSince, _lost) = (null, 0);
        }
    }

    /// <summary>Takes how an attempt that did not finish the answer ended; null if the worker was lost.</summary>
    public void Take(WorkerKey worker, GenerateUpdate? end)
    {
        var failure = end?.Failure;
        if (end is not null && failure is null)
        {
            Failure = new ChatFailure(ChatFailureKind.Internal, "The worker ended the answer before every choice was finished.");
            return;
        }

        if (failure is not null && failure.Kind is not (ChatFailureKind.Overloaded or ChatFailureKind.ModelUnavailable))
        {
            Failure = failure;
            return;
        }

        // A dead worker that is not known to be silent yet refuses many times a second, and a full one says so each time: neither is the request's fault.
        var overloaded = failure?.Kind == ChatFailureKind.Overloaded;
        _lost += _begun && !overloaded ? 1 : 0;
        _begun = false;
        _stuckSince ??= clock.GetTimestamp();
        _lastOverload = overloaded ? failure : _lastOverload;
        _excluded.Add(worker);
        if (_lost >= MostLost)
        {
            Failure = Unavailable();
        }
    }

    /// <summary>No worker is left to try: waits for a change, or ends the turn if it has not begun to speak and all were overloaded.</summary>
    public async Task WaitAsync(Task changed, bool speaking, CancellationToken cancellationToken)
    {
        if (_lastOverload is { } overload && !speaking)
        {
            Failure = overload with { RetryAfter = overload.RetryAfter ?? TimeSpan.FromSeconds(1) };
            return;
        }

        _stuckSince ??= clock.GetTimestamp();
        if (clock.GetElapsedTime(_stuckSince.Value) > Patience)
        {
            Failure = Unavailable();
            return;
        }

        await Task.WhenAny(changed, Task.Delay(Pause, clock, cancellationToken));
        _excluded.Clear();
    }

    private static ChatFailure Unavailable() => new(
        ChatFailureKind.ModelUnavailable,
        "No worker could go on with the answer; what was said so far is kept.",
        null,
        TimeSpan.FromSeconds(5));
}
