using System.IO.Compression;
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
        for (var at = 0L; at < step; at = (await GetAsync(front, job)).GetProperty("step").GetInt64())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50), Stop); // a client that polls
        }
    }

    private async Task<JsonElement> FinishAsync(Node front, string job)
    {
        while (true)
        {
            var info = await GetAsync(front, job);
            var status = info.GetProperty("status").GetString();
            if (status is "succeeded" or "failed" or "cancelled")
            {
                Assert.True(status == "succeeded", $"{info}");
                return info;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(200), Stop); // a client that polls
        }
    }

    private async Task<JsonElement> GetAsync(Node front, string job)
    {
        using var response = await front.Http.GetAsync($"/v1/fine_tuning/jobs/{job}", Stop);
        return await ReadAsync(response);
    }

    private async Task<List<long>> StepsAsync(Node front, string job)
    {
        using var response = await front.Http.GetAsync($"/v1/fine_tuning/jobs/{job}/events?limit=100", Stop);
        return [.. (await ReadAsync(response)).GetProperty("data").EnumerateArray().Where(line => line.GetProperty("type").GetString() == "metrics").Select(line => line.GetProperty("data").GetProperty("step").GetInt64())];
    }

    private async Task<JsonElement> ReadAsync(HttpResponseMessage response)
    {
        var text = await response.Content.ReadAsStringAsync(Stop);
        Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode} {text}");
        return JsonDocument.Parse(text).RootElement;
    }

    private static string? Version(JsonElement job) => job.GetProperty("result").GetProperty("version").GetString();
}
