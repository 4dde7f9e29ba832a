using System.IO.Compression;
using System.Net.ServerSentEvents;
using System.Text.Json;
using LlavaCluster.Cluster.Tests.Support;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Cluster.Tests.Training;

/// <summary>Two trainers of one job, each a process, killed while they learn: the job always finishes, and in the very weights of the undisturbed run where the group is of the same size again.</summary>
public sealed class TrainingKillTests : IDisposable
{
    private const string Model = "a_llava15";
    private const int Records = 160;

    private readonly string _data = Directory.CreateTempSubdirectory("llava-").FullName;
    private readonly CancellationTokenSource _deadline = new(TimeSpan.FromSeconds(240));

    private CancellationToken Stop => _deadline.Token;

    public void Dispose()
    {
        _deadline.Dispose();
        Directory.Delete(_data, recursive: true);
    }

    [Fact]
    public async Task Job_WhoseParticipantsAreKilled_FinishesAsIfTheyWereNot()
    {
        await using var lost = await FrontAsync("front-1");
        await using var front = await FrontAsync("front-2");
        var workers = await Task.WhenAll(WorkerAsync("worker-1"), WorkerAsync("worker-2"));
        try
        {
            await Task.WhenAll(front.KnowsAsync("worker-1", Stop), front.KnowsAsync("worker-2", Stop));
            var body = await UploadAsync(front);
            var undisturbed = await FinishAsync(front, await CreateAsync(front, body));

            // The coordinator's front: the trainers go on meanwhile, and another front takes the job over.
            var job = await CreateAsync(lost, body);
            await ReachesAsync(front, job, 20);
            await lost.KillAsync(Stop);
            Assert.Equal(Version(undisturbed), Version(await FinishAsync(front, job)));

            // Every trainer: back from a checkpoint.
            job = await CreateAsync(front, body);
            await ReachesAsync(front, job, 45);
            await Task.WhenAll(workers.Select(worker => worker.KillAsync(Stop)));
            foreach (var worker in workers)
            {
                await worker.DisposeAsync();
            }

            workers = await Task.WhenAll(WorkerAsync("worker-1"), WorkerAsync("worker-2"));
            Assert.Equal(Version(undisturbed), Version(await FinishAsync(front, job)));

            // One trainer: the other goes on from the last step, and no step is made twice.
            job = await CreateAsync(front, body);
            await ReachesAsync(front, job, 30);
            await workers[1].KillAsync(Stop);
            var info = await FinishAsync(front, job);
            Assert.NotEqual(JsonValueKind.Null, info.GetProperty("result").ValueKind);
            var steps = await StepsAsync(front, job);
            Assert.Equal(steps.Distinct().Order(), steps);
        }
        finally
        {
            foreach (var worker in workers)
            {
                await worker.DisposeAsync();
            }
        }
    }

    private Task<Node> FrontAsync(string name) => Node.ServeAsync(_data, name, ["--role", "front"], Stop);

    private Task<Node> WorkerAsync(string name) =>
        Node.ServeAsync(_data, name, ["--role", "worker", "--model", Goldens.Path(Model), "--template", "bare", "--train-threads", "1"], Stop);

    /// <summary>The body of a job's request that trains on what was uploaded.</summary>
    private async Task<string> UploadAsync(Node front)
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

        var (data, images) = (await UploadAsync(front, "data.json", JsonSerializer.SerializeToUtf8Bytes(records)), await UploadAsync(front, "pictures.zip", zip.ToArray()));
        return $$$$$"""
            {"model":"{{{{{Model}}}}}","training_file":"{{{{{data}}}}}","images_file":"{{{{{images}}}}}","suffix":"kills","max_trainers":2,"checkpoint_every":15,
             "method":{"type":"supervised","supervised":{"hyperparameters":{"n_epochs":4,"batch_size":6,"micro_batch":1,"learning_rate":0.003,"rank":4,"dropout":0.1}}}}
            """;
    }

    private async Task<string> UploadAsync(Node front, string name, byte[] content)
    {
        using var form = new MultipartFormDataContent { { new StringContent("fine-tune"), "purpose" }, { new ByteArrayContent(content), "file", name } };
        using var response = await front.Http.PostAsync("/v1/files", form, Stop);
        return (await ReadAsync(response)).GetProperty("id").GetString()!;
    }

    private async Task<string> CreateAsync(Node front, string body)
    {
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        using var response = await front.Http.PostAsync("/v1/fine_tuning/jobs", content, Stop);
        return (await ReadAsync(response)).GetProperty("id").GetString()!;
    }

    private async Task ReachesAsync(Node front, string job, long step)
    {
        await foreach (var line in WatchAsync(front, job))
        {
            if (IsMetrics(line) && StepOf(line) >= step)
            {
                return;
            }
        }

        Assert.Fail($"The job ended before step {step}.");
    }

    private async Task<JsonElement> FinishAsync(Node front, string job)
    {
        await foreach (var _ in WatchAsync(front, job))
        {
            // To its last event.
        }

        var info = await GetAsync(front, job);
        Assert.True(info.GetProperty("status").GetString() == "succeeded", $"{info}");
        return info;
    }

    /// <summary>Events from the first on, as they happen; a connection that ends before the job does goes on after the last event.</summary>
    private async IAsyncEnumerable<JsonElement> WatchAsync(Node front, string job)
    {
        string? last = null;
        while (true)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"/v1/fine_tuning/jobs/{job}/events?stream=true");
            if (last is not null)
            {
                request.Headers.Add("Last-Event-ID", last);
            }

            using var response = await front.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Stop);
            Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode}");
            await using var body = await response.Content.ReadAsStreamAsync(Stop);
            await foreach (var sent in SseParser.Create(body).EnumerateAsync(Stop))
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

    private static bool IsMetrics(JsonElement line) => line.GetProperty("type").GetString() == "metrics";

    private static long StepOf(JsonElement line) => line.GetProperty("data").GetProperty("step").GetInt64();

    private async Task<JsonElement> GetAsync(Node front, string job)
    {
        using var response = await front.Http.GetAsync($"/v1/fine_tuning/jobs/{job}", Stop);
        return await ReadAsync(response);
    }

    private async Task<List<long>> StepsAsync(Node front, string job)
    {
        var steps = new List<long>();
        await foreach (var line in WatchAsync(front, job))
        {
            if (IsMetrics(line))
            {
                steps.Add(StepOf(line));
            }
        }

        return steps;
    }

    private async Task<JsonElement> ReadAsync(HttpResponseMessage response)
    {
        var text = await response.Content.ReadAsStringAsync(Stop);
        Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode} {text}");
        return JsonDocument.Parse(text).RootElement;
    }

    private static string? Version(JsonElement job) => job.GetProperty("result").GetProperty("version").GetString();
}
