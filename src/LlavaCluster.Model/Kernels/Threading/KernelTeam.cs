using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace LlavaCluster.Model.Kernels.Threading;

/// <summary>
/// Threads that share loops of small independent chunks. The caller is one of them. Chunks are claimed one at a time, so a thread that the system takes off its core
/// delays one chunk and not half of the work. Helpers spin for a moment after a loop, because the next one is microseconds away, and then park.
/// One caller at a time; <see cref="Run"/> allocates nothing.
/// </summary>
public sealed class KernelTeam : IDisposable
{
    private const int SpinRounds = 400; // about 30 microseconds
    private const int SpinLength = 16;
    private const int GenerationShift = 32;
    private const int Caller = 0;

    private readonly Thread[] _helpers;
    private readonly SemaphoreSlim _wake = new(0);
    private KernelWork _work = static (_, _) => { };
    private Exception? _fault;
    private long _claim; // generation in the upper half, chunks not yet claimed in the lower: both change in one exchange
    private int _chunks;
    private int _unfinished;
    private int _parked;
    private int _generation;
    private volatile bool _stopped;

    /// <param name="threads">With the caller; at least 1.</param>
    public KernelTeam(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        _helpers = [.. Enumerable.Range(1, threads - 1).Select(i => new Thread(() => Help(i)) { IsBackground = true, Name = $"kernel {i}" })];
        Array.ForEach(_helpers, helper => helper.Start());
    }

    public int Threads => _helpers.Length + 1;

    /// <summary>Whether every helper is parked: it costs no time until there is work again.</summary>
    internal bool IsIdle => Volatile.Read(ref _parked) == _helpers.Length;

    /// <summary>Calls work for chunks 0 to chunks - 1, each once, on any of the threads, and returns when all have returned; the first exception is thrown here.</summary>
    /// <param name="work">Keep it between calls: a new delegate is an allocation.</param>
    public void Run(int chunks, KernelWork work)
    {
        if (_helpers.Length == 0 || chunks <= 1)
        {
            for (var chunk = 0; chunk < chunks; chunk++)
            {
                work(chunk, Caller);
            }

            return;
        }

        (_work, _chunks, _fault) = (work, chunks, null);
        Volatile.Write(ref _unfinished, chunks);
        Interlocked.Exchange(ref _claim, ((long)++_generation << GenerationShift) | (uint)chunks);
        Wake();
        while (TryClaim(out var chunk))
        {
            Execute(chunk, Caller);
        }

        WaitForHelpers();
        if (_fault is { } fault)
        {
            ExceptionDispatchInfo.Throw(fault);
        }
    }

    public void Dispose()
    {
        _stopped = true;
        if (_helpers.Length > 0)
        {
            _wake.Release(_helpers.Length);
        }

        Array.ForEach(_helpers, helper => helper.Join());
        _wake.Dispose();
    }

    // The runtime replaces quickly compiled code when it is called anew, and this is called once.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Help(int thread)
    {
        while (!_stopped)
        {
            if (TryClaim(out var chunk))
            {
                Execute(chunk, thread);
            }
            else if (!SpinForWork())
            {
                Park();
            }
        }
    }

    private bool TryClaim(out int chunk)
    {
        while (true)
        {
            var seen = Volatile.Read(ref _claim);
            var left = (int)(uint)seen;
            if (left == 0)
            {
                chunk = -1;
                return false;
            }

            if (Interlocked.CompareExchange(ref _claim, seen - 1, seen) == seen)
            {
                chunk = _chunks - left; // stays as it is until this chunk is finished
                return true;
            }
        }
    }

    private void Execute(int chunk, int thread)
    {
        try
        {
            _work(chunk, thread);
        }
        catch (Exception exception)
        {
            Interlocked.CompareExchange(ref _fault, exception, null); // the caller rethrows it
        }

        Interlocked.Decrement(ref _unfinished);
    }

    private void WaitForHelpers()
    {
        for (var round = 0; Volatile.Read(ref _unfinished) > 0; round++)
        {
            if (round < SpinRounds)
            {
                Thread.SpinWait(SpinLength);
            }
            else
            {
                Thread.Yield(); // a helper with a chunk may be waiting for this very core
            }
        }
    }

    private bool SpinForWork()
    {
        for (var round = 0; round < SpinRounds; round++)
        {
            if ((uint)Volatile.Read(ref _claim) != 0)
            {
                return true;
            }

            Thread.SpinWait(SpinLength);
        }

        return false;
    }

    // Parked counts those for whom nobody has released the semaphore yet; whoever takes a thread off the count decides whether it waits.
    private void Park()
    {
        Interlocked.Increment(ref _parked);
        if (((uint)Volatile.Read(ref _claim) != 0 || _stopped) && TakeBack())
        {
            return;
        }

        _wake.Wait();
    }

    private bool TakeBack()
    {
        while (true)
        {
            var parked = Volatile.Read(ref _parked);
            if (parked == 0)
            {
                return false;
            }

            if (Interlocked.CompareExchange(ref _parked, parked - 1, parked) == parked)
            {
                return true;
            }
        }
    }

    private void Wake()
    {
        var parked = Interlocked.Exchange(ref _parked, 0);
        if (parked > 0)
        {
            _wake.Release(parked);
        }
    }
}

/// <param name="chunk">Which part of the loop.</param>
/// <param name="thread">Which of the team's threads runs it, 0 for the caller: for scratch memory.</param>
public delegate void KernelWork(int chunk, int thread);
