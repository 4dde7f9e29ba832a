using System.Diagnostics;
using System.Text.Json;

namespace LlavaCluster.Cli.Benchmarks.Ring.Members;

/// <summary>A <see cref="RingMember"/> seen from the process that measures. Owns the process, which ends with it.</summary>
internal sealed class MemberProcess : IDisposable
{
    private readonly Process _process;
    private readonly Task<string> _errors;

    /// <param name="command">What this program is to be told so that it is a member.</param>
    public MemberProcess(IEnumerable<string> command)
    {
        // The program may have been started by dotnet or by its own host, and under test it is neither.
        var own = typeof(MemberProcess).Assembly.Location;
        var host = Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == Path.GetFileNameWithoutExtension(own) ? path : null;
        _process = new Process
        {
            StartInfo = new ProcessStartInfo(host ?? "dotnet", [.. host is null ? (string[])[own] : [], .. command]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true },
        };
        _process.StartInfo.Environment["OMP_NUM_THREADS"] = "1"; // before a library reads it: some never ask again
        _process.StartInfo.Environment["MKL_NUM_THREADS"] = "1";
        _process.Start();
        _errors = _process.StandardError.ReadToEndAsync();
    }

    public Task TellAsync<T>(T line, CancellationToken cancellationToken) => _process.StandardInput.WriteLineAsync(JsonSerializer.Serialize(line).AsMemory(), cancellationToken);

    /// <exception cref="InvalidDataException">The member ended without saying it; the message has what it said instead.</exception>
    public async Task<string> HearAsync(CancellationToken cancellationToken) =>
        await _process.StandardOutput.ReadLineAsync(cancellationToken) ?? throw new InvalidDataException($"A member's process ended: {(await _errors.WaitAsync(cancellationToken)).Trim()}");

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
    }
}
