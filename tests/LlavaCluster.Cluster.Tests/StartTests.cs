using System.Net;
using System.Net.Http.Headers;
using System.Net.ServerSentEvents;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using LlavaCluster.Cluster.Tests.Support;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Cluster.Tests;

/// <summary>How the program begins, refuses to begin, and ends.</summary>
public sealed class StartTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("llava-").FullName;
    private readonly CancellationTokenSource _deadline = new(TimeSpan.FromSeconds(120));

    private string Data => Path.Combine(_folder, "data");

    public void Dispose()
    {
        _deadline.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Serve_OnATakenPort_SaysSoInOneLine()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var (code, printed, errors) = await ServeAsync("--port", $"{((IPEndPoint)taken.LocalEndpoint).Port}");
        Assert.Equal((1, "", $"{taken.LocalEndpoint} cannot be listened on: Address already in use. Choose another with --address and --port."), (code, printed, errors.Trim()));
    }

    [Fact]
    public async Task Serve_OfAFolderThatIsNoModel_SaysSoInOneLine()
    {
        var (code, printed, errors) = await Command.RunAsync("", _deadline.Token, "serve", "--data", Data, "--port", "0", "--model", Goldens.Path("images"));
        Assert.Equal((1, ""), (code, printed));
        Assert.EndsWith("is not a model folder: it has no config.json.", Assert.Single(errors.Trim().Split('\n')), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Serve_OnAnOpenAddressWithoutAKey_SaysHowToGetOne()
    {
        var (code, printed, errors) = await ServeAsync("--port", "0", "--address", "0.0.0.0");
        Assert.Equal((1, ""), (code, printed));
        Assert.StartsWith("0.0.0.0:0 can be reached from other machines and there is no API key. Make one with \"llava tenants keys new\"", Assert.Single(errors.Trim().Split('\n')), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("hunter2", "must hold one llava-TENANT.KEYID.SECRET a line; line 1 is none.")]
    [InlineData("# nothing", "must hold at least one API key; it holds none.")]
    [InlineData(null, "Could not find file")]
    public async Task Serve_WithAKeyFileThatIsNone_SaysSoAndShowsNoKey(string? content, string message)
    {
        var path = Path.Combine(_folder, "keys");
        if (content is not null)
        {
            await File.WriteAllTextAsync(path, content, _deadline.Token);
        }

        var (code, printed, errors) = await ServeAsync("--port", "0", "--key-file", path);
        Assert.Equal((1, ""), (code, printed));
        Assert.Contains(message, Assert.Single(errors.Trim().Split('\n')), StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", errors, StringComparison.Ordinal);
    }

    /// <summary>From less than the first file needs to less than the last.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(40)]
    [InlineData(104)]
    public async Task Serve_OnAFullDisk_SaysSoInOneLine(int kilobytes)
    {
        var mount = $"mount -t tmpfs -o size={kilobytes}k tmpfs {_folder} && exec dotnet {Path.Combine(AppContext.BaseDirectory, "llava.dll")} serve --data {_folder} --port 0 --threads 1 --kv-mb 16 --model {Goldens.Path(ServedModel.Name)}";
        var (code, printed, errors) = await Unshare(mount);
        Assert.Equal((1, ""), (code, printed));
        Assert.StartsWith($"The data directory \"{_folder}\" cannot be used: ", Assert.Single(errors.Trim().Split('\n')), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Serve_WithAKeyFile_LetsInWhoHasAKey()
    {
        var (_, key, _) = await Command.RunAsync("", _deadline.Token, "tenants", "keys", "new");
        var path = Path.Combine(_folder, "keys");
        await File.WriteAllTextAsync(path, key, _deadline.Token);
        await using var node = await Node.ServeAsync(Data, "all", ["--model", Goldens.Path(ServedModel.Name), "--key-file", path, "--address", "0.0.0.0"], _deadline.Token);
        var address = new UriBuilder(node.Address) { Host = "127.0.0.1" }.Uri.AbsoluteUri;
        Assert.Equal(0, (await Command.RunAsync("", _deadline.Token, "tenants", "usage", "default", "--url", address, "--api-key", key.Trim())).Code);
        var (_, chat, _) = await Command.RunAsync("", _deadline.Token, "tenants", "keys", "create", "acme", "--url", address, "--api-key", key.Trim());

        Assert.Equal((401, 200, 200), (await StatusAsync(node, "/v1/models", null), await StatusAsync(node, "/v1/models", key), await StatusAsync(node, "/v1/models", chat)));
        // Probes have no key; what is told of every tenant is the operator's.
        Assert.Equal((200, 200), (await StatusAsync(node, "/health/live", null), await StatusAsync(node, "/", null)));
        Assert.Equal((401, 403, 200), (await StatusAsync(node, "/metrics", null), await StatusAsync(node, "/metrics", chat), await StatusAsync(node, "/metrics", key)));
        Assert.Equal(1, (await Command.RunAsync("", _deadline.Token, "tenants", "usage", "default", "--url", address, "--api-key", chat.Trim())).Code);
    }

    [Fact]
    public async Task Serve_OfAWorker_ShowsItsLoadToTheOperatorOnly()
    {
        var (_, key, _) = await Command.RunAsync("", _deadline.Token, "tenants", "keys", "new");
        var path = Path.Combine(_folder, "keys");
        await File.WriteAllTextAsync(path, key, _deadline.Token);
        string[] worker = ["--role", "worker", "--model", Goldens.Path(ServedModel.Name)];
        await using (var keyless = await Node.ServeAsync(Data, "worker-1", [.. worker, "--address", "0.0.0.0"], _deadline.Token))
        {
            Assert.Equal((200, 401, 401), (await StatusAsync(keyless, "/health/live", null), await StatusAsync(keyless, "/metrics", null), await StatusAsync(keyless, "/anything", null)));
        }

        await using (var open = await Node.ServeAsync(Data, "worker-2", [.. worker, "--address", "0.0.0.0", "--key-file", path], _deadline.Token))
        {
            Assert.Equal((200, 401, 200), (await StatusAsync(open, "/health/live", null), await StatusAsync(open, "/metrics", null), await StatusAsync(open, "/metrics", key)));
        }

        await using var local = await Node.ServeAsync(Data, "worker-3", worker, _deadline.Token);
        using var foreign = new HttpRequestMessage(HttpMethod.Get, "/metrics") { Headers = { Host = "evil.example" } };
        using var refused = await local.Http.SendAsync(foreign, _deadline.Token);
        Assert.Equal((200, 403), (await StatusAsync(local, "/metrics", null), (int)refused.StatusCode));
    }

    [Fact]
    public async Task Serve_ToldToStop_LetsItsAnswerEndFirst()
    {
        await using var node = await Node.ServeAsync(Data, "all", ["--model", Goldens.Path(ServedModel.Name), "--template", "bare"], _deadline.Token);
        // Eight answers to the end of the context take this engine longer than any patience of two seconds.
        const string Body = """{"model":"a_llava15","messages":[{"role":"user","content":"hi"}],"n":8,"max_tokens":1000,"logit_bias":{"2":-100},"stream":true,"stream_options":{"include_usage":true}}""";
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = new StringContent(Body, Encoding.UTF8, "application/json") };
        using var response = await node.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, _deadline.Token);
        response.EnsureSuccessStatusCode();
        var stopped = node.TerminateAsync(_deadline.Token);
        var last = new List<string>();
        await using var stream = await response.Content.ReadAsStreamAsync(_deadline.Token);
        await foreach (var item in SseParser.Create(stream).EnumerateAsync(_deadline.Token))
        {
            last = [.. last.TakeLast(1), item.Data];
        }

        await stopped;
        Assert.Equal(8000, JsonDocument.Parse(last[0]).RootElement.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        Assert.Equal(("[DONE]", 0), (last[1], node.ExitCode));
    }

    private Task<(int Code, string Printed, string Errors)> ServeAsync(params string[] more) =>
        Command.RunAsync("", _deadline.Token, ["serve", "--data", Data, "--threads", "1", "--kv-mb", "16", "--model", Goldens.Path(ServedModel.Name), .. more]);

    /// <summary>Runs a shell command where it may mount; a machine that forbids it skips the test and says so.</summary>
    private async Task<(int Code, string Printed, string Errors)> Unshare(string command)
    {
        Assert.SkipUnless(File.Exists("/usr/bin/unshare"), "unshare is not installed.");
        var (forbidden, _, why) = await Command.RunProgramAsync("unshare", ["-rm", "true"], "", _deadline.Token);
        Assert.SkipWhen(forbidden != 0, $"this machine lets nobody mount: {why}");
        return await Command.RunProgramAsync("unshare", ["-rm", "bash", "-c", command], "", _deadline.Token);
    }

    private async Task<int> StatusAsync(Node node, string path, string? key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new UriBuilder(node.Address) { Host = "127.0.0.1", Path = path }.Uri);
        request.Headers.Authorization = key is null ? null : new AuthenticationHeaderValue("Bearer", key.Trim());
        using var response = await node.Http.SendAsync(request, _deadline.Token);
        return (int)response.StatusCode;
    }
}
