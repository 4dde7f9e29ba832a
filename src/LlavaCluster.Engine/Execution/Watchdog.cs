namespace LlavaCluster.Engine.Execution;

/// <summary>Notices a step that does not end, which the engine's own thread cannot. Begin and End come from that thread; the timer reads.</summary>
internal sealed class Watchdog : IAsyncDisposable
{
    private const long NotRunning = -1;

    private readonly TimeSpan _limit;
    private readonly TimeProvider _time;
    private readonly Action<TimeSpan> _hung;
    private readonly ITimer _timer;
    private long _started = NotRunning;
    private long _told = NotRunning;

    /// <param name="hung">Told once a hung step, from a timer thread.</param>
    public Watchdog(TimeSpan limit, TimeProvider time, Action<TimeSpan> hung)
    {
        (_limit, _time, _hung) = (limit, time, hung);
        _timer = time.CreateTimer(_ => Check(), null, limit / 2, limit / 2);
    }

    /// <summary>The step that runs now has passed its limit.</summary>
    public bool IsHung => Running() >= _limit;

    public void Begin() => Volatile.Write(ref _started, _time.GetTimestamp());

    public void End() => Volatile.Write(ref _started, NotRunning);

    public ValueTask DisposeAsync() => _timer.DisposeAsync();

    private void Check()
    {
        var started = Volatile.Read(ref _started);
        var elapsed = Running();
        if (elapsed >= _limit && started != _told)
        {
            _told = started;
            _hung(elapsed);
        }
    }

    private TimeSpan Running()
    {
        var started = Volatile.Read(ref _started);
        return started == NotRunning ? TimeSpan.Zero : _time.GetElapsedTime(started);
    }
}
