using LlavaCluster.Cluster.Tests.Support;

namespace LlavaCluster.Cluster.Tests;

/// <summary><c>llava bench adapters</c>, small, with a real server: the whole of it is 200 changes under 32 chats, and that is the command's default.</summary>
public sealed class AdapterSwitchTests : IDisposable
{
    private static readonly string Program = Path.Combine(AppContext.BaseDirectory, "llava.dll");
    private readonly string _folder = Directory.CreateTempSubdirectory("llava-switch-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task TrafficThatChangesUnderChats_GivesEachTheAnswerOfItsVersion()
    {
        var port = Ports.Free();
        var (code, printed, errors) = await Command.RunAsync(
            "", TestContext.Current.CancellationToken, "bench", "adapters", "--serve", $"dotnet {Program} serve --data {_folder} --port {port} --threads 1 --kv-mb 64", "--url", $"http://127.0.0.1:{port}",
            "--chats", "4", "--changes", "10", "--questions", "4", "--max-tokens", "24", "--rank", "4", "12");

        Assert.True(code == 0, $"{printed}{errors}");
        var cells = printed.Split('\n').Last(line => line.StartsWith('|')).Split('|', StringSplitOptions.TrimEntries);
        Assert.Matches(@"^10 \(\d+\)$", cells[1]);
        Assert.True(int.Parse(cells[3], System.Globalization.CultureInfo.InvariantCulture) >= 10, printed);
        Assert.Equal(["0", "0"], cells[4..6]);
    }
}
