namespace LlavaCluster.Training.Distributed;

/// <summary>
/// The thread that sends a vector's chunks while the training thread receives others. Which chunk follows which is fixed by <see cref="SumPlan"/>, so the two share nothing
/// but a count of chunks that may go. It sends straight from the vector: a chunk is overwritten only by its total, which cannot arrive before the next member has received
/// what it was made of.
/// </summary>
internal sealed unsafe class SumSender : IDisposable
{
    private readonly object _gate = new(); // Monitor's, for Wait and Pulse
    private readonly FrameWriter _writer;
    private readonly TimeSpan _time;
    private readonly Action<RingBrokenException> _broken;
    private readonly Thread _thread;
    private float* _values;
    private SumPlan _plan;
    private int _rank;
    private long _allowed;
    private bool _busy;
    private bool _cancelled;
    private bool _stopped;

    /// <param name="time">In which each frame must be taken.</param>
    /// <param name="broken">Told, on the sender's thread, that it cannot go on.</param>
    public SumSender(FrameWriter writer, TimeSpan time, Action<RingBrokenException> broken)
    {
        (_writer, _time, _broken) = (writer, time, broken);
        _thread = new Thread(Run) { IsBackground = true, Name = "ring sender" };
        _thread.Start();
    }

    /// <summary>Takes a vector, which must stay where it is until <see cref="Finish"/> has returned.</summary>
    public void Begin(float* values, SumPlan plan, int rank)
    {
        lock (_gate)
        {
            _values = values;
            (_plan, _rank, _allowed, _busy) = (plan, rank, 0, true);
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>So many more chunks may go.</summary>
    public void Allow(int chunks)
    {
        lock (_gate)
        {
            _allowed += chunks;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Returns when the vector is no longer read: all of it was sent, or nothing more will be. A frame's time bounds the wait.</summary>
    public void Finish()
    {
        lock (_gate)
        {
            while (_busy)
            {
                Monitor.Wait(_gate);
            }
        }
    }

    /// <summary>Sends no further chunk, now or later; any thread.</summary>
    public void Cancel()
    {
        lock (_gate)
        {
            _cancelled = true;
            Monitor.PulseAll(_gate);
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _stopped = _cancelled = true;
            Monitor.PulseAll(_gate);
        }

        _thread.Join();
    }

    private void Run()
    {
        while (WaitForVector())
        {
            try
            {
                Send();
            }
            catch (RingBrokenException fault)
            {
                _broken(fault);
            }

            lock (_gate)
            {
                _busy = false;
                Monitor.PulseAll(_gate);
            }
        }
    }

    private bool WaitForVector()
    {
        lock (_gate)
        {
            while (!_busy && !_stopped)
            {
                Monitor.Wait(_gate);
            }

            return !_stopped;
        }
    }

    private void Send()
    {
        var sent = 0L;
        for (var turn = 0; turn < _plan.Turns; turn++)
        {
            var (start, end) = _plan.Segment(_rank - turn);
            for (var at = start; at < end; at += SumPlan.Chunk)
            {
                if (!WaitForChunk(sent++))
                {
                    return;
                }

                var bytes = new ReadOnlySpan<byte>(_values + at, Math.Min(SumPlan.Chunk, end - at) * sizeof(float));
                _writer.Write(FrameType.Sum, _plan.Length, bytes, _time);
            }
        }
    }

    private bool WaitForChunk(long sent)
    {
        lock (_gate)
        {
            while (_allowed <= sent && !_cancelled)
            {
                Monitor.Wait(_gate);
            }

            return !_cancelled;
        }
    }
}
