using System.Runtime.InteropServices;

namespace LlavaCluster.Cli;

/// <summary>
/// SIGTERM and Ctrl+C ask the running command to end, which takes as long as it needs: a server lets its answers end first. A second Ctrl+C
/// is a person who will not wait, and ends the process.
/// </summary>
internal sealed class Interruption : IDisposable
{
    private const int ExitCode = 130;

    private readonly CancellationTokenSource _asked = new();
    private readonly PosixSignalRegistration _terminate;
    private readonly PosixSignalRegistration _interrupt;

    public Interruption()
    {
        _terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Ask);
        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, AskOrExit);
    }

    public CancellationToken Token => _asked.Token;

    public void Dispose()
    {
        _interrupt.Dispose();
        _terminate.Dispose();
        _asked.Dispose();
    }

    private void AskOrExit(PosixSignalContext context)
    {
        if (_asked.IsCancellationRequested)
        {
            Environment.Exit(ExitCode);
        }

        Ask(context);
    }

    private void Ask(PosixSignalContext context)
    {
        context.Cancel = true;
        _asked.Cancel();
    }
}
