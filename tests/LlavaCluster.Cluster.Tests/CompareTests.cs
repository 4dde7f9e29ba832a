using LlavaCluster.Cluster.Tests.Support;

namespace LlavaCluster.Cluster.Tests;

/// <summary><c>llava bench compare</c> with two real servers.</summary>
public sealed class CompareTests : IDisposable
{
    private static readonly string Program = Path.Combine(AppContext.BaseDirectory, "llava.dll");
    private readonly string _folder = Directory.CreateTempSubdirectory("llava-compare-").FullName;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task TwoServers_EachInTurn_GiveTheirMediansAndTheRatio()
    {
        var (left, right) = (Ports.Free(), Ports.Free());
        var (code, printed, errors) = await Command.RunAsync(
            "", Stop, "bench", "compare", "--a", Serve("a", left), "--a-url", $"http://127.0.0.1:{left}", "--b", Serve("b", right), "--b-url", $"http://127.0.0.1:{right}",
            "--rounds", "2", "--concurrency", "2", "--chats", "2", "--max-tokens", "3", "--warmup", "0");

        Assert.True(code == 0, errors);
        var rows = printed.Split('\n').Where(line => line.StartsWith('|')).Select(line => line.Split('|', StringSplitOptions.TrimEntries)).ToDictionary(cells => cells[2], cells => cells[3..6]);
        Assert.All(["tokens/s", "TTFT p50, ms", "time a token, ms", "start to ready, ms", "peak memory, MiB", "bandwidth around it, GB/s"], figure => Assert.Matches(@"^[\d.]+ \([\d.]+ to [\d.]+\)$", rows[figure][0]));
        Assert.All(rows.Values.Skip(2), cells => Assert.Matches(@"^[\d.]+$|^-$", cells[2]));
        Assert.Equal(["A", "B", "A", "B"], errors.Split('\n').Where(line => line.EndsWith(": done", StringComparison.Ordinal)).Select(line => line[^7..^6]));
        Assert.Equal(0, await ListeningAsync(left) + await ListeningAsync(right));
    }

    [Fact]
    public async Task AServerThatEnds_IsNamedWithWhatItSaid()
    {
        var address = $"http://127.0.0.1:{Ports.Free()}";
        var (code, _, errors) = await Command.RunAsync("", Stop, "bench", "compare", "--a", "sh -c 'echo no such model >&2; exit 3'", "--a-url", address, "--b", "true", "--rounds", "1");

        Assert.Equal(1, code);
        Assert.Contains($"ended with 3 before {address}/v1/models answered: no such model", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnAddressThatAnotherServerAnswers_IsRefused()
    {
        await using var other = await Node.ServeAsync(Path.Combine(_folder, "other"), "all", [], Stop);
        var address = other.Address.AbsoluteUri;
        var (code, _, errors) = await Command.RunAsync("", Stop, "bench", "compare", "--a", "true", "--a-url", address, "--b", "true", "--rounds", "1");

        Assert.Equal(1, code);
        Assert.Contains($"{address} is answered before \"true\" has been started: another server listens there.", errors, StringComparison.Ordinal);
    }

    private string Serve(string name, int port) => $"dotnet {Program} serve --data {Path.Combine(_folder, name)} --port {port} --threads 1 --kv-mb 16";

    private static async Task<int> ListeningAsync(int port)
    {
        using var http = new HttpClient();
        try
        {
            await http.GetAsync(new Uri($"http://127.0.0.1:{port}/v1/models"), Stop);
            return 1;
        }
        catch (HttpRequestException)
        {
            return 0;
        }
    }
}
