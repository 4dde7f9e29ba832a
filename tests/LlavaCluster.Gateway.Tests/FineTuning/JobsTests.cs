using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Gateway.Tests.Fakes;
using LlavaCluster.Gateway.Tests.Http;
using LlavaCluster.Storage.Files;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Runtime;

namespace LlavaCluster.Gateway.Tests.FineTuning;

/// <summary>/v1/fine_tuning/jobs over jobs whose events the test says.</summary>
public sealed class JobsTests : IAsyncLifetime
{
    private GatewayServer _server = null!;
    private Api _api = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await GatewayServer.StartAsync(options => options.Training.MaxUnfinishedJobs = 5);
        _api = Api.Of(_server.Address);
    }

    public async ValueTask DisposeAsync()
    {
        _api.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Job_ThatSucceeds_TellsItsWholeStory()
    {
        var id = await CreateAsync("formal");
        var job = Job(id);
        job.Say("Created.");
        job.Say("Step 5/10", TrainingEventKind.Progress, new TrainingMetrics(5, 10, 0.5, 1e-4, double.PositiveInfinity, 300, 1.5), info => info with
        {
            Status = TrainingJobStatus.Running, StartedAt = DateTimeOffset.FromUnixTimeSeconds(100), EstimatedFinish = DateTimeOffset.FromUnixTimeSeconds(200), Step = 5, TotalSteps = 10, Trainers = ["worker-1/0"],
        });
        var running = await _api.GetAsync($"/v1/fine_tuning/jobs/{id}");
        Assert.Equal(("running", 100, 200, 5, 10, "worker-1/0"), ((string)running["status"]!, (int)running["started_at"]!, (int)running["estimated_finish"]!, (int)running["step"]!, (int)running["total_steps"]!, (string)running["trainers"]![0]!));
        job.Say("Done.", then: info => info with
        {
            Status = TrainingJobStatus.Succeeded, FinishedAt = DateTimeOffset.FromUnixTimeSeconds(300), TrainedTokens = 1234, Result = new TrainingResult(ObjectId.Of([1]), 99, double.NaN, 0.25),
        });
        var done = await _api.GetAsync($"/v1/fine_tuning/jobs/{id}");
        Assert.Equal(("succeeded", "llava-test:formal", 300, 1234, "formal"), ((string)done["status"]!, (string)done["fine_tuned_model"]!, (int)done["finished_at"]!, (int)done["trained_tokens"]!, (string)done["user_provided_suffix"]!));
        Assert.Equal((null, 0.25, ObjectId.Of([1]).Value), ((double?)done["result"]!["base_loss"], (double)done["result"]!["adapter_loss"]!, (string)done["result"]!["version"]!));

        var events = (await _api.GetAsync($"/v1/fine_tuning/jobs/{id}/events?order=asc"))["data"]!.AsArray();
        Assert.Equal(["ftevent-1", "ftevent-2", "ftevent-3"], events.Select(line => (string)line!["id"]!));
        Assert.Equal(("metrics", "info", "fine_tuning.job.event"), ((string)events[1]!["type"]!, (string)events[1]!["level"]!, (string)events[1]!["object"]!));
        Assert.Equal("""{"step":5,"total_steps":10,"train_loss":0.5,"learning_rate":0.0001,"gradient_norm":null,"tokens_per_second":300,"epoch":1.5}""", events[1]!["data"]!.ToJsonString());
    }

    [Fact]
    public async Task Job_ThatFails_SaysWhy()
    {
        var id = await CreateAsync();
        Job(id).Say("Bad data.", TrainingEventKind.Error, then: info => info with { Status = TrainingJobStatus.Failed, Reason = "Record 3 has no picture.", FinishedAt = DateTimeOffset.UnixEpoch });
        var failed = await _api.GetAsync($"/v1/fine_tuning/jobs/{id}");
        Assert.Equal("""{"code":"job_failed","message":"Record 3 has no picture.","param":null}""", failed["error"]!.ToJsonString());
        Assert.Null(failed["fine_tuned_model"]);
        Assert.Equal("error", (string)(await _api.GetAsync($"/v1/fine_tuning/jobs/{id}/events"))["data"]![0]!["level"]!);
    }

    [Fact]
    public async Task Job_WhoseAdapterWasNotPublished_NamesNoModel()
    {
        var id = await CreateAsync("formal");
        Job(id).Say("Done.", then: info => info with { Status = TrainingJobStatus.Succeeded, Reason = "An adapter has at most 100 versions.", FinishedAt = DateTimeOffset.UnixEpoch });
        var done = await _api.GetAsync($"/v1/fine_tuning/jobs/{id}");
        Assert.Equal(("succeeded", null, "An adapter has at most 100 versions."), ((string)done["status"]!, (string?)done["fine_tuned_model"], (string)done["reason"]!));
    }

    [Fact]
    public async Task List_AndEvents_ComeInPages()
    {
        var ids = new List<string>();
        for (var number = 0; number < 3; number++)
        {
            ids.Insert(0, await CreateAsync());
        }

        ids.Sort((one, other) => string.CompareOrdinal(other, one));
        var first = await _api.GetAsync("/v1/fine_tuning/jobs?limit=2");
        var second = await _api.GetAsync($"/v1/fine_tuning/jobs?limit=2&after={first["last_id"]}");
        Assert.Equal((true, false), ((bool)first["has_more"]!, (bool)second["has_more"]!));
        Assert.Equal(ids, first["data"]!.AsArray().Concat(second["data"]!.AsArray()).Select(job => (string)job!["id"]!));

        var path = $"/v1/fine_tuning/jobs/{ids[0]}/events";
        foreach (var message in (string[])["a", "b", "c"])
        {
            Job(ids[0]).Say(message);
        }

        foreach (var (order, messages) in new[] { ("", "c b a"), ("&order=desc", "c b a"), ("&order=asc", "a b c") })
        {
            var page = await _api.GetAsync($"{path}?limit=2{order}");
            var rest = await _api.GetAsync($"{path}?limit=2{order}&after={page["last_id"]}");
            Assert.Equal((true, false), ((bool)page["has_more"]!, (bool)rest["has_more"]!));
            Assert.Equal(messages, string.Join(' ', page["data"]!.AsArray().Concat(rest["data"]!.AsArray()).Select(line => (string)line!["message"]!)));
        }

        Assert.Empty((await _api.GetAsync($"{path}?after=ftevent-1"))["data"]!.AsArray());
        Assert.Equal(3, (await _api.GetAsync($"{path}?after=ftevent-99"))["data"]!.AsArray().Count);
        Assert.Equal("order must be asc or desc; was \"up\".", Message(await _api.GetAsync($"{path}?order=up", HttpStatusCode.BadRequest)));
        Assert.Equal("after must be an event's id, or its number.", Message(await _api.GetAsync($"{path}?after=x", HttpStatusCode.BadRequest)));
        Assert.Equal("after must be a job's id.", Message(await _api.GetAsync("/v1/fine_tuning/jobs?after=x", HttpStatusCode.BadRequest)));
        Assert.Equal("limit must be between 1 and 1000; was 0.", Message(await _api.GetAsync("/v1/fine_tuning/jobs?limit=0", HttpStatusCode.BadRequest)));
    }

    [Fact]
    public async Task Events_AsAStream_ComeAsTheyHappenToTheEnd_AndAgainAfterAnyOfThem()
    {
        var id = await CreateAsync();
        var job = Job(id);
        job.Say("one");
        using var response = await StreamAsync(id, null);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        var reading = SseReader.ReadAllAsync(response, Cancel);
        job.Say("two");
        job.Say("three", then: info => info with { Status = TrainingJobStatus.Cancelled, FinishedAt = DateTimeOffset.UnixEpoch });
        var whole = await reading;
        Assert.Equal([("1", "one"), ("2", "two"), ("3", "three"), (null, "[DONE]")], whole.Select(sent => (sent.Id, sent.Data == "[DONE]" ? sent.Data : (string)JsonNode.Parse(sent.Data)!["message"]!)));
        for (var seen = 0; seen <= 3; seen++)
        {
            using var again = await StreamAsync(id, $"{seen}");
            Assert.Equal(whole.Skip(seen).Select(sent => sent.Data), (await SseReader.ReadAllAsync(again, Cancel)).Select(sent => sent.Data));
        }
    }

    [Fact]
    public async Task Stream_OfAJobWhoseNodeIsLost_GoesOnWithoutGapsOrRepeats()
    {
        var id = await CreateAsync();
        var job = Job(id);
        var losses = 3;
        job.BeforeEvent = sequence =>
        {
            if (sequence == 2 && losses-- > 0)
            {
                throw new SiloUnavailableException("gone");
            }
        };
        job.Say("one");
        job.Say("two");
        job.Say("three", then: info => info with { Status = TrainingJobStatus.Cancelled, FinishedAt = DateTimeOffset.UnixEpoch });
        using var response = await StreamAsync(id, null);
        Assert.Equal(["1", "2", "3", null], (await SseReader.ReadAllAsync(response, Cancel)).Select(sent => sent.Id));
        Assert.Equal(-1, losses);
    }

    [Fact]
    public async Task Checkpoints_AreListed()
    {
        var id = await CreateAsync();
        Job(id).Kept = [.. new[] { 30, 20, 10 }.Select(step => new TrainingCheckpoint(step, ObjectId.Of([(byte)step]), 100, DateTimeOffset.FromUnixTimeSeconds(step), step / 100.0))];
        var first = await _api.GetAsync($"/v1/fine_tuning/jobs/{id}/checkpoints?limit=2");
        Assert.True((bool)first["has_more"]!);
        var latest = first["data"]![0]!;
        Assert.Equal(("fine_tuning.job.checkpoint", 30, 30, 0.3, id), ((string)latest["object"]!, (int)latest["step_number"]!, (int)latest["metrics"]!["step"]!, (double)latest["metrics"]!["train_loss"]!, (string)latest["fine_tuning_job_id"]!));
        var rest = (await _api.GetAsync($"/v1/fine_tuning/jobs/{id}/checkpoints?limit=2&after={first["last_id"]}"))["data"]!.AsArray();
        Assert.Equal(10, (int)Assert.Single(rest)!["step_number"]!);
    }

    [Fact]
    public async Task Create_SentTwiceWithOneIdempotencyKey_IsOneJob_AlsoWhenItsFileIsGone()
    {
        var file = await _api.UploadAsync();
        var body = new JsonObject { ["model"] = "llava-test", ["training_file"] = file, ["hyperparameters"] = new JsonObject { ["target_modules"] = new JsonArray("q_proj") } };
        var first = await _api.PostAsync("/v1/fine_tuning/jobs", body, idempotencyKey: "call-1");
        await _server.Services.GetRequiredService<IFileStore>().RemoveAsync(TenantId.Default, ObjectId.Parse(file["file-".Length..]), Cancel);
        var second = await _api.PostAsync("/v1/fine_tuning/jobs", body, idempotencyKey: "call-1");
        Assert.Equal(first.ToJsonString(), second.ToJsonString());
        Assert.Single(_server.Grains.Jobs.Values, job => job.Info is not null);
        body["seed"] = 5;
        Assert.Equal("false", await RetryHintAsync(body, "call-1"));
        Assert.Equal("The Idempotency-Key was used for another job.", Message(await _api.PostAsync("/v1/fine_tuning/jobs", body, HttpStatusCode.Conflict, "call-1")));
    }

    [Fact]
    public async Task Create_OfMoreJobsThanMayWait_IsRefused()
    {
        for (var number = 0; number < 5; number++)
        {
            await CreateAsync();
        }

        var body = new JsonObject { ["model"] = "llava-test", ["training_file"] = await _api.UploadAsync() };
        Assert.Equal("A tenant may have at most 5 jobs that have not ended; has 5.", Message(await _api.PostAsync("/v1/fine_tuning/jobs", body, HttpStatusCode.TooManyRequests)));
    }

    [Fact]
    public async Task AJob_IsItsTenantsAlone()
    {
        using var other = Api.Of(_server.Address, await Api.KeyAsync(_server.Grains, "other", "train"));
        var id = await CreateAsync();
        var path = $"/v1/fine_tuning/jobs/{id}";
        foreach (var read in (string[])["", "/events", "/events?stream=true", "/checkpoints"])
        {
            Assert.Equal("There is no such job.", Message(await other.GetAsync(path + read, HttpStatusCode.NotFound)));
        }

        foreach (var change in (string[])["/cancel", "/pause", "/resume"])
        {
            await other.PostAsync(path + change, status: HttpStatusCode.NotFound);
        }

        Assert.Empty((await other.GetAsync("/v1/fine_tuning/jobs"))["data"]!.AsArray());
        var body = new JsonObject { ["model"] = "llava-test", ["training_file"] = await _api.UploadAsync() };
        Assert.Equal("training_file names a file that was not uploaded.", Message(await other.PostAsync("/v1/fine_tuning/jobs", body, HttpStatusCode.NotFound)));
        Assert.Equal("queued", (string)(await _api.GetAsync(path))["status"]!);
        await _api.GetAsync("/v1/fine_tuning/jobs/ftjob-1", HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task Changes_AnswerWithTheJob()
    {
        var id = await CreateAsync();
        foreach (var (change, status) in new[] { ("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled") })
        {
            Assert.Equal(status, (string)(await _api.PostAsync($"/v1/fine_tuning/jobs/{id}/{change}"))["status"]!);
        }
    }

    /// <summary>What tells OpenAI's clients not to repeat a call that is refused.</summary>
    private async Task<string> RetryHintAsync(JsonNode body, string idempotencyKey)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/fine_tuning/jobs") { Content = JsonContent.Create(body) };
        request.Headers.Add("Idempotency-Key", idempotencyKey);
        using var response = await _api.RawAsync(request);
        return Assert.Single(response.Headers.GetValues("x-should-retry"));
    }

    private static string Message(JsonNode body) => (string)body["error"]!["message"]!;

    private FakeJob Job(string id) => _server.Grains.Jobs[$"default/{id}"];

    private async Task<string> CreateAsync(string? suffix = null)
    {
        var body = new JsonObject { ["model"] = "llava-test", ["training_file"] = await _api.UploadAsync(), ["suffix"] = suffix };
        return (string)(await _api.PostAsync("/v1/fine_tuning/jobs", body))["id"]!;
    }

    private Task<HttpResponseMessage> StreamAsync(string id, string? lastEventId)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, $"/v1/fine_tuning/jobs/{id}/events?stream=true");
        if (lastEventId is not null)
        {
            request.Headers.Add("Last-Event-ID", lastEventId);
        }

        return _api.RawAsync(request);
    }
}
