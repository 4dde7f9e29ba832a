using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Workers;

namespace LlavaCluster.Grains.Conversations;

/// <summary>Which workers a turn has tried without success since it last moved, and when trying on is pointless.</summary>
internal sealed class AttemptLedger(TimeProvider clock)
{
    /// <summary>Long enough for a worker's process to restart and load its model.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    private const int MostFruitless = 20;

    private readonly HashSet<WorkerKey> _excluded = [];
    private long _progressAt = clock.GetTimestamp();
    private int _fruitless;
    private ChatFailure? _lastOverload;

    public IReadOnlySet<WorkerKey> Excluded => _excluded;

    /// <summary>Set when the turn must end with a failure.</summary>
    public ChatFailure? Failure { get; private set; }

    public void Progress()
    {
        _progressAt = clock.GetTimestamp();
        _fruitless = 0;
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

        _lastOverload = failure?.Kind == ChatFailureKind.Overloaded ? failure : _lastOverload;
        _excluded.Add(worker);
        if (++_fruitless >= MostFruitless)
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

        if (clock.GetElapsedTime(_progressAt) > Patience)
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
