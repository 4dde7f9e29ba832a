using System.Diagnostics;
using System.Globalization;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Gateway.Tests.Browser;

/// <summary>
/// Runs JavaScript clients under node with packages of a cache folder. A machine without node, or with an old one, skips the test and says so; a build server never does.
/// </summary>
internal static class NodeTools
{
    private const string Packages = "openai@7.57.0 playwright-core@1.58.2";

    // The packages' own bound.
    private const int OldestNode = 18;

    private static readonly SemaphoreSlim Installing = new(1);

    /// <returns>What the script printed.</returns>
    public static async Task<string> RunAsync(string script, string[] arguments, CancellationToken cancellationToken)
    {
        var folder = await InstallAsync(cancellationToken);
        var copies = Directory.CreateDirectory(Path.Combine(folder, $"{Guid.NewGuid():n}")); // below the packages, where node looks for them
        try
        {
            foreach (var file in Directory.EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "Browser"), "*.mjs"))
            {
                File.Copy(file, Path.Combine(copies.FullName, Path.GetFileName(file)));
            }

            return await StartAsync("node", folder, [Path.Combine(copies.FullName, script), .. arguments], cancellationToken);
        }
        finally
        {
            copies.Delete(recursive: true);
        }
    }

    /// <summary>Where a browser is; skips the test where none is, except on a build server.</summary>
    public static string Chromium()
    {
        var found = InstalledPrograms.Find("chromium", "chromium-browser", "google-chrome");
        Assert.SkipWhen(found is null, "chromium is not installed.");
        return found!;
    }

    private static async Task<string> InstallAsync(CancellationToken cancellationToken)
    {
        await Installing.WaitAsync(cancellationToken);
        try
        {
            await RequireNodeAsync(cancellationToken);
            var folder = Path.Combine(Path.GetTempPath(), "llava-node-clients");
            var done = Path.Combine(folder, "installed");
            if (!File.Exists(done) || await File.ReadAllTextAsync(done, cancellationToken) != Packages)
            {
                Directory.CreateDirectory(folder);
                await StartAsync("npm", folder, ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder, .. Packages.Split(' ')], cancellationToken);
                await File.WriteAllTextAsync(done, Packages, cancellationToken);
            }

            return folder;
        }
        finally
        {
            Installing.Release();
        }
    }

    /// <summary>Skips the test where node is older than its packages take, except on a build server, where it fails.</summary>
    private static async Task RequireNodeAsync(CancellationToken cancellationToken)
    {
        var version = (await StartAsync("node", Path.GetTempPath(), ["--version"], cancellationToken)).Trim();
        Assert.SkipWhen(
            Environment.GetEnvironmentVariable("CI") != "true" && int.Parse(version.TrimStart('v').Split('.')[0], CultureInfo.InvariantCulture) < OldestNode,
            $"node must be {OldestNode} or later; is {version}.");
    }

    private static async Task<string> StartAsync(string program, string folder, string[] arguments, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        Assert.SkipWhen(InstalledPrograms.Find(program) is null, $"{program} is not installed.");
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
        var errors = process.StandardError.ReadToEndAsync(cancellationToken);
        await process.WaitForExitAsync(cancellationToken);
        Assert.True(process.ExitCode == 0, $"{program} ended with {process.ExitCode}:\n{await errors}\n{await output}");
        return await output;
    }
}
