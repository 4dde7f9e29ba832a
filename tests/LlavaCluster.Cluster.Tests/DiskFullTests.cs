using System.Diagnostics;
using System.Text.Json;
using LlavaCluster.Cluster.Tests.Support;
using LlavaCluster.Cluster.Tests.Training;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Cluster.Tests;

/// <summary>The program on a disk of its own, small enough to be filled: a tmpfs in a user namespace, which needs no root.</summary>
public sealed class DiskFullTests : IDisposable
{
    private const string Namespace = "--user --map-root-user --mount";

    /// <summary>Left when the answer begins: room for its question and some of its tokens.</summary>
    private const int Room = 300_000;

    private readonly string _data = Directory.CreateTempSubdirectory("llava-").FullName;
    private readonly CancellationTokenSource _deadline = new(TimeSpan.FromSeconds(120));

    private CancellationToken Stop => _deadline.Token;

    public void Dispose()
    {
        _deadline.Dispose();
        Directory.Delete(_data, recursive: true);
    }

    [Fact]
    public async Task Answer_WhenTheDiskFillsInItsMiddle_EndsWithAnErrorAndGoesOnWhenThereIsRoom()
    {
        Assert.SkipUnless(await HasNamespacesAsync(), "This system lets no user make a mount namespace (unshare --user --mount), so there is no small disk to fill.");
        string[] model = ["--model", Goldens.Path("a_llava15"), "--template", "bare"];
        await using var node = await Node.ServeInShellAsync(Namespace, $"mount -t tmpfs -o size=16m tmpfs '{_data}'", _data, "all", model, Stop);
        await node.KnowsAsync("all", Stop);
        var filler = $"/proc/{node.Id}/root{_data}/filler";
        var (full, next) = (await StreamedAnswer.CreateConversationAsync(node, Stop), await StreamedAnswer.CreateConversationAsync(node, Stop));
        var (answer, turn) = (new StreamedAnswer("Tell me everything.", 0.9, full, image: null), Guid.NewGuid());

        Fill(filler);
        await answer.AskAsync(node, Stop, turn);
        Assert.Equal("storage_full", answer.Error);
        Assert.NotEmpty(answer.Text);

        // Full is full: nothing new is begun, and what was visible is there.
        Top(filler);
        var refused = new StreamedAnswer("And more?", 0, next, image: null);
        await refused.AskAsync(node, Stop);
        Assert.Equal(("507", "storage_full"), (refused.ClosedBy, refused.Error));
        Assert.StartsWith(answer.Text, await StoredAsync(node, full), StringComparison.Ordinal);

        File.Delete(filler);
        var (again, undisturbed) = (new StreamedAnswer("Tell me everything.", 0.9, full, image: null), new StreamedAnswer("Tell me everything.", 0.9, image: null));
        await again.AskAsync(node, Stop, turn);
        await undisturbed.AskAsync(node, Stop);
        Assert.Equal("response.incomplete", again.ClosedBy); // cut at its last token, as it should
        Assert.Equal(undisturbed.Text, again.Text);
        Assert.StartsWith(answer.Text, again.Text, StringComparison.Ordinal);
        await refused.AskAgainAsync(node, Stop);
        Assert.Equal("response.incomplete", refused.ClosedBy);
    }

    [Fact]
    public async Task Job_WhoseCheckpointFindsTheDiskFull_SaysSoAndEndsAsIfThereHadBeenRoom()
    {
        Assert.SkipUnless(await HasNamespacesAsync(), "This system lets no user make a mount namespace (unshare --user --mount), so there is no small disk to fill.");
        string[] model = ["--model", Goldens.Path(JobClient.Model), "--template", "bare", "--train-threads", "1"];
        await using var node = await Node.ServeInShellAsync(Namespace, $"mount -t tmpfs -o size=24m tmpfs '{_data}'", _data, "all", model, Stop);
        await node.KnowsAsync("all", Stop);
        var (client, filler) = (new JobClient(_ => node.Http, Stop), $"/proc/{node.Id}/root{_data}/filler");
        var body = await client.UploadAsync(epochs: 6);
        var (undisturbed, _) = await client.FinishAsync(await client.CreateAsync(body));

        var job = await client.CreateAsync(body);
        await client.ReachesAsync(job, 20);
        Top(filler);
        await node.SaysAsync("was not stored", Stop);
        File.Delete(filler);
        var (info, events) = await client.FinishAsync(job);

        Assert.Equal(JobClient.Version(undisturbed), JobClient.Version(info));
        var messages = events.Select(line => line.GetProperty("message").GetString()!).ToList();
        Assert.Contains(messages, message => message.Contains("was not stored: ", StringComparison.Ordinal));
        Assert.Equal(messages.Count(message => message.StartsWith("Checkpoint at", StringComparison.Ordinal)), messages.Where(message => message.StartsWith("Checkpoint at", StringComparison.Ordinal)).Distinct().Count());
    }

    /// <summary>Takes the disk's room but for <see cref="Room"/>.</summary>
    private static void Fill(string filler)
    {
        Top(filler);
        using var file = new FileStream(filler, FileMode.Open);
        file.SetLength(file.Length - Room);
    }

    /// <summary>Takes all of the disk's room.</summary>
    private static void Top(string filler)
    {
        using var file = new FileStream(filler, FileMode.Append, FileAccess.Write, FileShare.None, bufferSize: 0);
        var page = new byte[4096];
        while (TryWrite(file, page))
        {
        }
    }

    private static bool TryWrite(FileStream file, byte[] page)
    {
        try
        {
            file.Write(page);
            return true;
        }
        catch (IOException)
        {
            return false; // No space left on device.
        }
    }

    private async Task<string> StoredAsync(Node node, string conversation)
    {
        using var items = JsonDocument.Parse(await node.Http.GetStringAsync($"/v1/conversations/{conversation}/items", Stop));
        var last = items.RootElement.GetProperty("data").EnumerateArray().Last(item => item.GetProperty("role").GetString() == "assistant");
        return last.GetProperty("content")[0].GetProperty("text").GetString()!;
    }

    private async Task<bool> HasNamespacesAsync()
    {
        try
        {
            using var probe = Process.Start(new ProcessStartInfo("unshare", [.. Namespace.Split(' '), "mount", "-t", "tmpfs", "tmpfs", _data]) { RedirectStandardError = true });
            await probe!.WaitForExitAsync(Stop);
            return probe.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
