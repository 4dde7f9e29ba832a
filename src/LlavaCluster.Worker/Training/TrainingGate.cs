using System.Runtime.InteropServices;

namespace LlavaCluster.Worker.Training;

/// <summary>
/// Serving comes first: between two parts of a step the trainer waits while the engine has work, but never longer than leaves it its share of the device's time. On a CPU its thread, and those that
/// libtorch starts for it, have so low a priority that within a part, too, the system gives it about that share beside a busy engine. For the trainer's thread.
/// </summary>
/// <param name="isBusy">Whether the engine has work.</param>
/// <param name="share">Of the device's time that training gets while requests keep the engine busy; greater than 0, at most 1.</param>
internal sealed class TrainingGate(Func<bool> isBusy, double share, TimeProvider clock)
{
    private const int LowestPriority = 19;
    private const double PriorityStep = 1.25; // one level of niceness: Linux weighs it so

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(2);

    private long _since;

    /// <summary>Lowers the calling thread's priority. Only Linux has priorities of single threads that need no privilege; elsewhere the waits alone keep the share.</summary>
    public void Lower()
    {
        if (OperatingSystem.IsLinux() && share < 1)
        {
            var nice = (int)Math.Round(Math.Log((1 - share) / share) / Math.Log(PriorityStep));
            _ = Posix.SetPriority(0, 0, Math.Clamp(nice, 0, LowestPriority));
        }
    }

    /// <summary>Work begins; what was before it does not count.</summary>
    public void Begin() => _since = clock.GetTimestamp();

    /// <summary>Lets requests go first.</summary>
    /// <param name="stop">Ends the wait.</param>
    /// <returns>Seconds waited.</returns>
    public double Pass(WaitHandle stop)
    {
        var worked = clock.GetElapsedTime(_since);
        var most = worked * ((1 - share) / share);
        var began = clock.GetTimestamp();
        while (isBusy() && clock.GetElapsedTime(began) < most && !stop.WaitOne(Look))
        {
            // Looked at often: an engine that is idle for a moment is one to train in.
        }

        _since = clock.GetTimestamp();
        return clock.GetElapsedTime(began).TotalSeconds;
    }

    private static class Posix
    {
        /// <param name="which">0: a process, which to Linux is a thread.</param>
        /// <param name="who">0: the caller.</param>
        [DllImport("libc", EntryPoint = "setpriority", SetLastError = true)]
        public static extern int SetPriority(int which, int who, int priority);
    }
}
