using System.IO.Compression;
using System.Net.ServerSentEvents;
using System.Text.Json;
using LlavaCluster.Cluster.Tests.Support;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Cluster.Tests.Training;

/// <summary>Two fronts and two trainers, each a process that is killed and started again under its name, and a client that turns to whichever front answers.</summary>
internal sealed class JobCluster : IAsyncDisposable
{
    public static readonly string[] Fronts = ["front-1", "front-2"];
    public static readonly string[] Workers = ["worker-1", "worker-2"];

    private const string Model = "a_llava15";
    private const int Records = 160;

    private readonly string _data = Directory.CreateTempSubdirectory("llava-").FullName;
    private readonly Dictionary<string, Node> _nodes = [];
    private readonly List<Node> _ended = [];
    private readonly CancellationToken _stop;

    private JobCluster(CancellationToken stop) => _stop = stop;

    /// <summary>Every process there ever was, one after the other.</summary>
    public IEnumerable<Node> Processes => [.. _ended, .. _nodes.Values];

    public Node this[string name] => _nodes[name];

    public static async Task<JobCluster> StartAsync(CancellationToken stop)
    {
        var cluster = new JobCluster(stop);
        try
        {
            await cluster.StartAsync(Fronts);
            await cluster.StartAsync(Workers);
            await Task.WhenAll(Fronts.SelectMany(front => Workers.Select(worker => cluster[front].KnowsAsync(worker, stop))));
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>SIGKILL, all at once.</summary>
    public async Task KillAsync(params string[] names)
    {
        await Task.WhenAll(names.Select(name => _nodes[name].KillAsync(_stop)));
        foreach (var name in names)
        {
            _nodes.Remove(name, out var node);
            _ended.Add(node!);
        }
    }

    /// <summary>Processes of these names, once they answer.</summary>
    public async Task StartAsync(params string[] names)
    {
        var nodes = await Task.WhenAll(names.Select(name => Node.ServeAsync(_data, name, Fronts.Contains(name) ? ["--role", "front"] : ["--role", "worker", "--model", Goldens.Path(Model), "--template", "bare", "--train-threads", "1"], _stop)));
        foreach (var (name, node) in names.Zip(nodes))
        {
            _nodes.Add(name, node);
        }
    }

    /// <summary>The front that tends a job, as far as can be seen.</summary>
    public string CoordinatorOf(string job) => Fronts.FirstOrDefault(front => _nodes[front].HasSaid($"{job} is coordinated here")) ?? Fronts[0];

    /// <summary>The body of a job's request that trains on what it uploads.</summary>
    public async Task<string> UploadAsync()
    {
        string[] pictures = ["gray.png", "exact.png", "square.png", "tall.png"];
        var records = Enumerable.Range(0, Records).Select(i => new
        {
            id = $"r{i}",
            image = pictures[i % pictures.Length],
            conversations = new[] { new { from = "human", value = "<image>\nWhat is it?" }, new { from = "gpt", value = $"Picture number {i % pictures.Length}." } },
        });
        using var zip = new MemoryStream();
        using (var archive = new ZipArchive(zip, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var picture in pictures)
            {
                archive.CreateEntryFromFile(Path.Combine(Goldens.Path("images"), picture), picture);
            }
        }

        var (data, images) = (await UploadAsync("data.json", JsonSerializer.SerializeToUtf8Bytes(records)), await UploadAsync("pictures.zip", zip.ToArray()));
        return $$$$$"""
            {"model":"{{{{{Model}}}}}","training_file":"{{{{{data}}}}}","images_file":"{{{{{images}}}}}","suffix":"kills","max_trainers":2,"checkpoint_every":15,
             "method":{"type":"supervised","supervised":{"hyperparameters":{"n_epochs":4,"batch_size":6,"micro_batch":1,"learning_rate":0.003,"rank":4,"dropout":0.1}}}}
            """;
    }

    public async Task<string> CreateAsync(string body, string front = "front-2")
    {
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        using var response = await _nodes[front].Http.PostAsync("/v1/fine_tuning/jobs", content, _stop);
        return (await ReadAsync(response)).GetProperty("id").GetString()!;
    }

    /// <summary>Returns when so many steps are reported, or the job has ended.</summary>
    public async Task ReachesAsync(string job, long step)
    {
        await foreach (var line in WatchAsync(job))
        {
            if (IsMetrics(line) && StepOf(line) >= step)
            {
                return;
            }
        }
    }

    /// <summary>The job when it has succeeded, and its events from the first on.</summary>
    public async Task<(JsonElement Job, IReadOnlyList<JsonElement> Events)> FinishAsync(string job)
    {
        var events = new List<JsonElement>();
        await foreach (var line in WatchAsync(job))
        {
            events.Add(line);
        }

        var info = JsonDocument.Parse(await AskAsync(http => http.GetStringAsync($"/v1/fine_tuning/jobs/{job}", _stop))).RootElement;
        Assert.True(info.GetProperty("status").GetString() == "succeeded", $"{info}");
        return (info, events);
    }

    /// <summary>The adapter that a job made, as a safetensors file.</summary>
    public Task<byte[]> AdapterAsync(JsonElement job) => AskAsync(http => http.GetByteArrayAsync($"/v1/adapters/kills/versions/{Version(job)}/content", _stop));

    /// <summary>Events from the first on, as they happen; a connection that ends before the job does goes on after the last event, at whichever front answers.</summary>
    public async IAsyncEnumerable<JsonElement> WatchAsync(string job)
    {
        string? last = null;
        while (true)
        {
            using var response = await AskAsync(async http =>
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, $"/v1/fine_tuning/jobs/{job}/events?stream=true");
                if (last is not null)
                {
                    request.Headers.Add("Last-Event-ID", last);
                }

                return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, _stop);
            });
            Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode} {(response.IsSuccessStatusCode ? "" : await response.Content.ReadAsStringAsync(_stop))}");
            await using var body = await response.Content.ReadAsStreamAsync(_stop);
            await foreach (var sent in SseParser.Create(body).EnumerateAsync(_stop))
            {
                if (sent.Data == "[DONE]")
                {
                    yield break;
                }

                last = sent.EventId ?? last;
                var line = JsonDocument.Parse(sent.Data).RootElement;
                if (line.TryGetProperty("type", out _))
                {
                    yield return line;
                }
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in Processes)
        {
            await node.DisposeAsync();
        }

        Directory.Delete(_data, recursive: true);
    }

    public static bool IsMetrics(JsonElement line) => line.GetProperty("type").GetString() == "metrics";

    public static long StepOf(JsonElement line) => line.GetProperty("data").GetProperty("step").GetInt64();

    public static string? Version(JsonElement job) => job.GetProperty("result").GetProperty("version").GetString();

    private async Task<string> UploadAsync(string name, byte[] content)
    {
        using var form = new MultipartFormDataContent { { new StringContent("fine-tune"), "purpose" }, { new ByteArrayContent(content), "file", name } };
        using var response = await _nodes[Fronts[0]].Http.PostAsync("/v1/files", form, _stop);
        return (await ReadAsync(response)).GetProperty("id").GetString()!;
    }

    // A front that was just started may not know yet that another is dead; its client asks again.
    private async Task<T> AskAsync<T>(Func<HttpClient, Task<T>> ask)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return await ask(_nodes[Fronts[(attempt + 1) % Fronts.Length]].Http);
            }
            catch (HttpRequestException fault) when (attempt < 10)
            {
                TestContext.Current.SendDiagnosticMessage($"asked again: {fault.Message}");
            }
        }
    }

    private async Task<JsonElement> ReadAsync(HttpResponseMessage response)
    {
        var text = await response.Content.ReadAsStringAsync(_stop);
        Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode} {text}");
        return JsonDocument.Parse(text).RootElement;
    }
}
