using System.Diagnostics;
using System.Net;
using System.Runtime.CompilerServices;
using System.Text.Json;

namespace LlavaCluster.Cluster.Tests.Support;

/// <summary>A member of a test's cluster in a process of its own, killed at the latest when it is disposed.</summary>
internal sealed class Node : IAsyncDisposable
{
    private const int TokenMilliseconds = 40;
    private readonly Process _process;
    private readonly HttpClient _http;

    private Node(Process process, string address)
    {
        _process = process;
        _http = new HttpClient { BaseAddress = new Uri(address), Timeout = Timeout.InfiniteTimeSpan };
    }

    public int ExitCode => _process.ExitCode;

    public Uri Address => _http.BaseAddress!;

    public HttpClient Http => _http;

    /// <summary>A node with the scripted engine.</summary>
    public static Task<Node> StartAsync(string role, string data, string name, CancellationToken cancellationToken) =>
        LaunchAsync(["LlavaCluster.TestNode.dll", role, data, name, $"{TokenMilliseconds}"], "listening ", cancellationToken);

    /// <summary>The product itself, <c>llava serve</c>.</summary>
    public static Task<Node> ServeAsync(string data, string model, CancellationToken cancellationToken, params string[] more) =>
        LaunchAsync(["llava.dll", "serve", "--data", data, "--model", model, "--port", "0", "--threads", "1", "--kv-mb", "16", .. more], "all is ready on ", cancellationToken);

    /// <summary>SIGKILL, and the wait for its effect.</summary>
    public async Task KillAsync(CancellationToken cancellationToken)
    {
        _process.Kill();
        await _process.WaitForExitAsync(cancellationToken);
    }

    /// <summary>SIGTERM, and the wait for the process to end by itself.</summary>
    public async Task TerminateAsync(CancellationToken cancellationToken)
    {
        using var kill = Process.Start("kill", ["-TERM", $"{_process.Id}"]);
        await kill.WaitForExitAsync(cancellationToken);
        await _process.WaitForExitAsync(cancellationToken);
    }

    public async Task WaitForWorkersAsync(int count, CancellationToken cancellationToken)
    {
        while (await _http.GetStringAsync("/workers", cancellationToken) != $"{count}")
        {
            await Task.Delay(50, cancellationToken);
        }
    }

    public async Task<string> BeginAsync(string conversation, Guid turn, string text, int tokens, double temperature, CancellationToken cancellationToken)
    {
        var address = $"/begin/{conversation}/{turn}?text={Uri.EscapeDataString(text)}&tokens={tokens}&temperature={temperature}";
        using var response = await _http.PostAsync(address, null, cancellationToken);
        return response.IsSuccessStatusCode ? await response.Content.ReadAsStringAsync(cancellationToken) : response.StatusCode.ToString();
    }

    public Task<string> ReadAsync(string path, CancellationToken cancellationToken) => _http.GetStringAsync(path, cancellationToken);

    public async Task<string> PostAsync(string path, string json, CancellationToken cancellationToken)
    {
        using var content = new StringContent(json, System.Text.Encoding.UTF8, "application/json");
        using var response = await _http.PostAsync(path, content, cancellationToken);
        return await response.Content.ReadAsStringAsync(cancellationToken);
    }

    public async Task SetQuotaAsync(int concurrent, CancellationToken cancellationToken)
    {
        using var response = await _http.PostAsync($"/quota/{concurrent}", null, cancellationToken);
        response.EnsureSuccessStatusCode();
    }

    public async Task<HttpStatusCode> GetAsync(string path, CancellationToken cancellationToken)
    {
        using var response = await _http.GetAsync(path, cancellationToken);
        return response.StatusCode;
    }

    /// <summary>The turn's events until it completes or the stream breaks.</summary>
    public async IAsyncEnumerable<Step> FollowAsync(string conversation, Guid turn, long after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var response = await TryOpenAsync($"/follow/{conversation}/{turn}/{after}", cancellationToken);
        if (response is null)
        {
            yield break;
        }

        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(cancellationToken));
        while (await TryReadLineAsync(reader, cancellationToken) is { } line)
        {
            yield return JsonSerializer.Deserialize<Step>(line)!;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
        _http.Dispose();
    }

    private static async Task<Node> LaunchAsync(string[] command, string marker, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, UseShellExecute = false };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, command[0]));
        foreach (var argument in command[1..])
        {
            start.ArgumentList.Add(argument);
        }

        var process = Process.Start(start)!;
        var address = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        process.EnableRaisingEvents = true;
        process.Exited += (_, _) => address.TrySetException(new InvalidOperationException($"{command[0]} ended before it listened."));
        process.OutputDataReceived += (_, line) =>
        {
            if (line.Data?.StartsWith(marker, StringComparison.Ordinal) == true)
            {
                address.TrySetResult(line.Data[marker.Length..]);
            }
        };
        process.BeginOutputReadLine();
        try
        {
            return new Node(process, await address.Task.WaitAsync(cancellationToken));
        }
        catch
        {
            process.Kill();
            throw;
        }
    }

    private static async Task<string?> TryReadLineAsync(StreamReader reader, CancellationToken cancellationToken)
    {
        try
        {
            return await reader.ReadLineAsync(cancellationToken);
        }
        catch (Exception broken) when (broken is IOException or HttpRequestException)
        {
            return null;
        }
    }

    private async Task<HttpResponseMessage?> TryOpenAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            return await _http.GetAsync(path, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }
}

internal sealed record Step(long Sequence, string Text, bool Completed, string? Failure);
