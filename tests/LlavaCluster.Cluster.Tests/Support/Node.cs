using System.Diagnostics;

namespace LlavaCluster.Cluster.Tests.Support;

/// <summary>A member of a test's cluster in a process of its own, killed at the latest when it is disposed.</summary>
internal sealed class Node : IAsyncDisposable
{
    private const int TokenMilliseconds = 40;
    private readonly Process _process;
    private readonly ProcessOutput _output;

    private Node(Process process, ProcessOutput output)
    {
        _process = process;
        _output = output;
    }

    public HttpClient Http { get; } = new() { Timeout = Timeout.InfiniteTimeSpan };

    public Uri Address => Http.BaseAddress!;

    public int Id => _process.Id;

    public int ExitCode => _process.ExitCode;

    /// <summary>How many lines it has written so far.</summary>
    public int Lines => _output.Count;

    /// <summary>A node with the scripted engine.</summary>
    public static Task<Node> StartAsync(string role, string data, string name, CancellationToken cancellationToken) =>
        LaunchAsync("dotnet", [Beside("LlavaCluster.TestNode.dll"), role, data, name, $"{TokenMilliseconds}"], cancellationToken);

    /// <summary>A trainer's end of a ring (RingNode says what it takes and does).</summary>
    public static Node LaunchRing(params int[] arguments) => Launch("dotnet", [Beside("LlavaCluster.TestNode.dll"), "ring", .. arguments.Select(argument => $"{argument}")]);

    /// <summary>The product itself, <c>llava serve</c>, on ports of its own choice.</summary>
    public static Task<Node> ServeAsync(string data, string name, IEnumerable<string> arguments, CancellationToken cancellationToken) =>
        LaunchAsync("dotnet", Serve(data, name, arguments), cancellationToken);

    /// <summary>The product's process before it listens, for one that must not come so far.</summary>
    public static Node Launch(string data, string name, IEnumerable<string> arguments) => Launch("dotnet", Serve(data, name, arguments));

    /// <summary>The product as the last of a shell's commands, in its process.</summary>
    public static Task<Node> ServeInShellAsync(string shell, string commands, string data, string name, IEnumerable<string> arguments, CancellationToken cancellationToken) =>
        LaunchAsync("unshare", [.. shell.Split(' '), "sh", "-c", $"{commands} && exec \"$@\"", "sh", "dotnet", .. Serve(data, name, arguments)], cancellationToken);

    /// <summary>A line of its output with this text in it, written already or not; fails if the process ends without it.</summary>
    public Task<string> SaysAsync(string part, CancellationToken cancellationToken, int after = 0) => _output.SaysAsync(part, after, cancellationToken);

    public bool HasSaid(string part, int after = 0) => _output.Has(part, after);

    /// <summary>What it has said so far with this text in it; also of a process that has ended.</summary>
    public string[] Having(string part) => _output.Having(part);

    /// <summary>The worker of this name is ready, as this front sees it.</summary>
    public Task KnowsAsync(string worker, CancellationToken cancellationToken) => SaysAsync($"Worker {worker}/0 is ready", cancellationToken);

    /// <summary>SIGKILL, and the wait for its effect.</summary>
    public async Task KillAsync(CancellationToken cancellationToken)
    {
        _process.Kill();
        await ExitAsync(cancellationToken);
    }

    /// <summary>SIGTERM, and the wait for the process to end by itself.</summary>
    public async Task TerminateAsync(CancellationToken cancellationToken)
    {
        await SignalAsync("TERM", cancellationToken);
        await ExitAsync(cancellationToken);
    }

    /// <param name="signal">STOP, CONT ...</param>
    public async Task SignalAsync(string signal, CancellationToken cancellationToken)
    {
        using var kill = Process.Start("kill", [$"-{signal}", $"{_process.Id}"]);
        await kill.WaitForExitAsync(cancellationToken);
    }

    public Task ExitAsync(CancellationToken cancellationToken) => _process.WaitForExitAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
        Http.Dispose();
    }

    private static string[] Serve(string data, string name, IEnumerable<string> arguments) =>
        [Beside("llava.dll"), "serve", "--data", data, "--silo-name", name, "--port", "0", "--threads", "1", "--kv-mb", "16", .. arguments];

    private static string Beside(string file) => Path.Combine(AppContext.BaseDirectory, file);

    private static async Task<Node> LaunchAsync(string program, string[] arguments, CancellationToken cancellationToken)
    {
        var node = Launch(program, arguments);
        try
        {
            var line = await node.SaysAsync(" http://", cancellationToken);
            node.Http.BaseAddress = new Uri(line[line.IndexOf("http:", StringComparison.Ordinal)..].Trim());
            return node;
        }
        catch
        {
            await node.DisposeAsync();
            throw;
        }
    }

    private static Node Launch(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        start.Environment["DOTNET_TieredPGO"] = "0"; // They start many times and run for seconds.
        start.Environment["Logging__LogLevel__LlavaCluster.Worker.Training.TrainerSession"] = "Debug"; // each step of a job
        var output = new ProcessOutput($"{program} {string.Join(' ', arguments.Take(6))}");
        var process = new Process { StartInfo = start, EnableRaisingEvents = true };
        process.Exited += (_, _) => output.End();
        process.OutputDataReceived += (_, line) => output.Take(line.Data);
        process.ErrorDataReceived += (_, line) => output.Take(line.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return new Node(process, output);
    }
}
