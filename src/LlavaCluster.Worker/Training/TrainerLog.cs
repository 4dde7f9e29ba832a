using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Worker.Training;

/// <summary>
/// What a trainer has done that its job was not told yet. What a report said is forgotten only when the job has heard it; a report that got lost on its way back is counted twice by nobody,
/// because it is sent again as it was. Members may be called from any thread.
/// </summary>
internal sealed partial class TrainerLog(TrainingJobKey job, WorkerKey trainer, string endpoint, TimeProvider clock, ILogger logger)
{
    /// <summary>Messages, and checkpoints, that wait for a job out of reach; the oldest go first.</summary>
    private const int MostWaiting = 16;

    private readonly Lock _gate = new();
    private TaskCompletionSource _news = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Numbers of a process that was started later are higher.
    private long _number = clock.GetUtcNow().UtcTicks;
    private TrainerReport? _sent;
    private TrainerPhase _phase = TrainerPhase.Preparing;
    private long _generation, _step, _totalSteps, _stepsPerEpoch, _tokens;
    private double _seconds;
    private TrainingMetrics? _metrics;
    private readonly Queue<TrainingCheckpoint> _checkpoints = new();
    private TrainingResult? _result;
    private readonly Queue<string> _messages = new();
    private ImmutableArray<ObjectId> _damaged = [];

    public bool HasNews
    {
        get
        {
            lock (_gate)
            {
                return _news.Task.IsCompleted;
            }
        }
    }

    /// <summary>Of the group that it works in.</summary>
    public long Generation
    {
        get
        {
            lock (_gate)
            {
                return _generation;
            }
        }
    }

    /// <summary>A change that the job should hear of soon.</summary>
    public void Enter(TrainerPhase phase, long generation, string? message = null)
    {
        lock (_gate)
        {
            (_phase, _generation) = (phase, generation);
            if (message is not null)
            {
                LogSaid(job, message);
                Put(_messages, message);
            }

            _news.TrySetResult();
        }
    }

    public void Measure(long totalSteps, long stepsPerEpoch)
    {
        lock (_gate)
        {
            (_totalSteps, _stepsPerEpoch) = (totalSteps, stepsPerEpoch);
        }
    }

    /// <param name="tokens">Learned by the whole group, from its first member; 0 from the others.</param>
    public void Count(long step, double deviceSeconds, long tokens, TrainingMetrics? metrics)
    {
        lock (_gate)
        {
            if (step != _step)
            {
                LogStep(step, _generation, job);
            }

            _step = step;
            _seconds += deviceSeconds;
            _tokens += tokens;
            _metrics = metrics ?? _metrics;
        }
    }

    public void Stored(TrainingCheckpoint checkpoint)
    {
        lock (_gate)
        {
            Put(_checkpoints, checkpoint);
            _news.TrySetResult();
        }
    }

    public void Damaged(ObjectId checkpoint)
    {
        lock (_gate)
        {
            _damaged = _damaged.Add(checkpoint);
        }
    }

    public void Finish(long generation, TrainingResult? result)
    {
        lock (_gate)
        {
            (_phase, _generation, _result) = (TrainerPhase.Done, generation, result);
            _news.TrySetResult();
        }
    }

    /// <summary>The next report; the last one once more where nobody has heard it.</summary>
    public TrainerReport Take()
    {
        lock (_gate)
        {
            if (_sent is { } unheard)
            {
                return unheard;
            }

            _news = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _sent = new TrainerReport
            {
                Trainer = trainer, Endpoint = endpoint, Number = ++_number, Generation = _generation, Phase = _phase, Step = _step, TotalSteps = _totalSteps, StepsPerEpoch = _stepsPerEpoch,
                DeviceSeconds = _seconds, TrainedTokens = _tokens, Metrics = _metrics, Checkpoint = _checkpoints.TryDequeue(out var checkpoint) ? checkpoint : null, Result = _result, Message = _messages.TryDequeue(out var message) ? message : null, Damaged = _damaged,
            };
            (_seconds, _tokens, _metrics, _damaged) = (0, 0, null, []);
            if (_checkpoints.Count + _messages.Count > 0)
            {
                _news.TrySetResult();
            }

            return _sent;
        }
    }

    public void Forget(TrainerReport heard)
    {
        lock (_gate)
        {
            _sent = _sent == heard ? null : _sent;
        }
    }

    /// <summary>Returns when there is something that should be told soon, or time has passed.</summary>
    public async Task NewsAsync(TimeSpan most, CancellationToken cancellationToken)
    {
        Task news;
        lock (_gate)
        {
            news = _news.Task;
        }

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await Task.WhenAny(news, Task.Delay(most, clock, stop.Token));
        await stop.CancelAsync();
    }

    private static void Put<T>(Queue<T> waiting, T item)
    {
        if (waiting.Count == MostWaiting)
        {
            waiting.Dequeue();
        }

        waiting.Enqueue(item);
    }

    [LoggerMessage(LogLevel.Information, "Job {Job}: {Message}")]
    private partial void LogSaid(TrainingJobKey job, string message);

    // Which steps made a result is seen by these lines alone: what is reported are means over many.
    [LoggerMessage(LogLevel.Debug, "Step {Step} of group {Generation} is done in job {Job}")]
    private partial void LogStep(long step, long generation, TrainingJobKey job);
}
