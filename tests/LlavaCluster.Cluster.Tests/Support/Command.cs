using System.Diagnostics;

namespace LlavaCluster.Cluster.Tests.Support;

/// <summary>The program as a user runs it, for commands that end by themselves.</summary>
internal static class Command
{
    public static Task<(int Code, string Printed, string Errors)> RunAsync(string typed, CancellationToken cancellationToken, params string[] arguments) =>
        RunProgramAsync("dotnet", [Path.Combine(AppContext.BaseDirectory, "llava.dll"), .. arguments], typed, cancellationToken);

    public static async Task<(int Code, string Printed, string Errors)> RunProgramAsync(string program, string[] arguments, string typed, CancellationToken cancellationToken, string? folder = null)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = folder };
        using var process = Process.Start(start)!;
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
            var errors = process.StandardError.ReadToEndAsync(cancellationToken);
            await process.StandardInput.WriteAsync(typed);
            process.StandardInput.Close();
            await process.WaitForExitAsync(cancellationToken);
            return (process.ExitCode, await output, await errors);
        }
        catch
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }
}
