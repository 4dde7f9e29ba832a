using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using LlavaCluster.Cli.Benchmarks.Load;

namespace LlavaCluster.Cli.Benchmarks.Comparison;

/// <summary>A server that runs for one round: started by a command, ready when it names its models, stopped when disposed. Owns the process.</summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    private const int MostLines = 20;
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly Process _process;
    private readonly Queue<string> _lastLines = [];

    private ServerProcess(string command)
    {
        // The shell gives its place to the server, whose memory and end are then this process's.
        var start = new ProcessStartInfo("/bin/sh", ["-c", "exec " + command]) { RedirectStandardOutput = true, RedirectStandardError = true };
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Note(line.Data);
        _process.ErrorDataReceived += (_, line) => Note(line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>From its start until it named its models.</summary>
    public TimeSpan ReadyAfter { get; private set; }

    /// <summary>Bytes of memory it held at most so far, mapped files included; null where the system does not tell.</summary>
    public long? PeakMemory
    {
        get
        {
            var file = $"/proc/{_process.Id}/status";
            var line = File.Exists(file) ? File.ReadLines(file).FirstOrDefault(line => line.StartsWith("VmHWM:", StringComparison.Ordinal)) : null;
            return line is null ? null : long.Parse(line.AsSpan(6, line.Length - 6 - 2).Trim(), CultureInfo.InvariantCulture) * 1024;
        }
    }

    /// <param name="command">For /bin/sh.</param>
    /// <param name="http">Its base address is the server's root.</param>
    /// <exception cref="InvalidDataException">The server ended, or was not ready in time, and the message has its last lines; or another one answers there, which would be measured in its place.</exception>
    public static async Task<ServerProcess> StartAsync(string command, HttpClient http, TimeSpan within, TimeProvider time, CancellationToken cancellationToken)
    {
        if (await IsReadyAsync(http, cancellationToken))
        {
            throw new InvalidDataException($"{http.BaseAddress} is answered before \"{command}\" has been started: another server listens there.");
        }

        var began = time.GetTimestamp();
        var server = new ServerProcess(command);
        try
        {
            while (!await IsReadyAsync(http, cancellationToken))
            {
                if (server._process.HasExited)
                {
                    await server.ReadToEndAsync(cancellationToken);
                    throw new InvalidDataException($"\"{command}\" ended with {server._process.ExitCode} before {http.BaseAddress}v1/models answered: {server.LastLines()}");
                }

                if (time.GetElapsedTime(began) > within)
                {
                    throw new InvalidDataException($"\"{command}\" was not ready after {within.TotalSeconds:0} s before {http.BaseAddress}v1/models answered: {server.LastLines()}");
                }

                await Task.Delay(Poll, time, cancellationToken);
            }

            server.ReadyAfter = time.GetElapsedTime(began);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            using var terminate = Process.Start("kill", [_process.Id.ToString(CultureInfo.InvariantCulture)]);
            await terminate.WaitForExitAsync();
            using var late = new CancellationTokenSource(Patience);
            try
            {
                await _process.WaitForExitAsync(late.Token);
            }
            catch (OperationCanceledException)
            {
                _process.Kill(entireProcessTree: true);
                await _process.WaitForExitAsync();
            }
        }

        _process.Dispose();
    }

    private static async Task<bool> IsReadyAsync(HttpClient http, CancellationToken cancellationToken)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        late.CancelAfter(Patience);
        try
        {
            await LoadClient.FirstModelAsync(http, late.Token);
            return true;
        }
        catch (Exception exception) when (exception is HttpRequestException or InvalidDataException or JsonException || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return false;
        }
    }

    /// <summary>What a process printed may arrive after its end; a child that keeps the pipe open must not keep us.</summary>
    private async Task ReadToEndAsync(CancellationToken cancellationToken)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        late.CancelAfter(Patience);
        try
        {
            await _process.WaitForExitAsync(late.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The lines that came are told.
        }
    }

    private void Note(string? line)
    {
        if (line is null)
        {
            return;
        }

        lock (_lastLines)
        {
            _lastLines.Enqueue(line);
            if (_lastLines.Count > MostLines)
            {
                _lastLines.Dequeue();
            }
        }
    }

    private string LastLines()
    {
        lock (_lastLines)
        {
            return string.Join(Environment.NewLine, _lastLines);
        }
    }
}
