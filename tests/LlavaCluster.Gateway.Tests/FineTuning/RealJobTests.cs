using System.Net;
using System.Text.Json.Nodes;
using Grpc.Core;
using Llava.V1;
using LlavaCluster.Gateway.Tests.Http;

namespace LlavaCluster.Gateway.Tests.FineTuning;

/// <summary>Jobs through HTTP and gRPC over the real job grain, in a front where nobody trains.</summary>
public sealed class RealJobTests(FrontFixture fixture) : IClassFixture<FrontFixture>
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Job_ThatNobodyTrains_WaitsPausesGoesOnAndIsCancelled()
    {
        using var api = await fixture.ApiAsync("patient");
        var file = await api.UploadAsync();
        var id = (string)(await api.PostAsync("/v1/fine_tuning/jobs", new JsonObject { ["model"] = "llava-test", ["training_file"] = file, ["suffix"] = "formal" }, idempotencyKey: "one"))["id"]!;
        var path = $"/v1/fine_tuning/jobs/{id}";
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{path}/events?stream=true");
        using var stream = await api.RawAsync(request);
        Assert.Equal("queued", (string)(await api.GetAsync(path))["status"]!);
        Assert.Equal("paused", (string)(await api.PostAsync($"{path}/pause"))["status"]!);
        Assert.Equal("queued", (string)(await api.PostAsync($"{path}/resume"))["status"]!);
        Assert.Equal("cancelled", (string)(await api.PostAsync($"{path}/cancel"))["status"]!);
        Assert.Equal("cancelled", (string)(await api.PostAsync($"{path}/cancel"))["status"]!);
        Assert.Equal("The job has ended: Cancelled.", (string)(await api.PostAsync($"{path}/resume", status: HttpStatusCode.Conflict))["error"]!["message"]!);

        var told = (await SseReader.ReadAllAsync(stream, Cancel)).Select(sent => sent.Data == "[DONE]" ? sent.Data : (string)JsonNode.Parse(sent.Data)!["message"]!).ToArray();
        Assert.Equal([$"Created job {id}: formal for llava-test.", "The job was paused.", "The job goes on.", "The job was cancelled.", "[DONE]"], told);
        Assert.Equal(told.SkipLast(1), (await api.GetAsync($"{path}/events?order=asc"))["data"]!.AsArray().Select(line => (string)line!["message"]!));
        Assert.Empty((await api.GetAsync($"{path}/checkpoints"))["data"]!.AsArray());
        Assert.Equal([id], (await api.GetAsync("/v1/fine_tuning/jobs"))["data"]!.AsArray().Select(job => (string)job!["id"]!));
        var again = await api.PostAsync("/v1/fine_tuning/jobs", new JsonObject { ["model"] = "llava-test", ["training_file"] = file, ["suffix"] = "formal" }, idempotencyKey: "one");
        Assert.Equal((id, "cancelled"), ((string)again["id"]!, (string)again["status"]!));
    }

    [Fact]
    public async Task File_ThatAJobNeeds_CannotBeDeletedUntilTheJobHasEnded()
    {
        using var api = await fixture.ApiAsync("careful");
        var (file, unneeded) = (await api.UploadAsync(), await api.UploadAsync("[]"u8.ToArray()));
        var id = (string)(await api.PostAsync("/v1/fine_tuning/jobs", new JsonObject { ["model"] = "llava-test", ["training_file"] = file, ["suffix"] = "formal" }))["id"]!;
        await api.PostAsync($"/v1/fine_tuning/jobs/{id}/pause");
        await api.DeleteAsync($"/v1/files/{unneeded}");

        var error = (await api.DeleteAsync($"/v1/files/{file}", HttpStatusCode.Conflict))["error"]!;

        Assert.Equal(("id", $"The file must not be one that a job needs; {id} does, which has not ended. Cancel the job first."), ((string)error["param"]!, (string)error["message"]!));
        await api.GetAsync($"/v1/files/{file}");
        await api.PostAsync($"/v1/fine_tuning/jobs/{id}/cancel");
        await api.DeleteAsync($"/v1/files/{file}");
        await api.GetAsync($"/v1/files/{file}", HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task Grpc_CreatesListsWatchesAndCancels()
    {
        var key = await fixture.KeyAsync("caller");
        using var api = Api.Of(fixture.Front.Address, key);
        var headers = new Metadata { { "authorization", $"Bearer {key}" } };
        var client = new Llava.V1.Training.TrainingClient(fixture.Grpc);
        var request = new CreateJobRequest
        {
            Model = "llava-test", TrainingFile = await api.UploadAsync(), Suffix = "formal", Seed = 7, MaxTrainers = 2, TrafficShare = 0.5, CheckpointEvery = 10, Metadata = { ["team"] = "a" }, IdempotencyKey = "two",
            Options = new TuningOptions { Method = "lora", NEpochs = 2, LearningRate = 1e-4, Rank = 8, ClipNorm = 0, TargetModules = { "q_proj" }, RankPattern = { new RankPattern { Modules = "layers.0.*", Rank = 4 } }, AlphaPattern = { new AlphaPattern { Modules = "q_proj", Alpha = 2.5 } }, BaseWeights = "q8" },
        };
        var made = await client.CreateJobAsync(request, headers, cancellationToken: Cancel);
        Assert.Equal(("queued", "formal", 7L, 2, 0.5, 10), (made.Status, made.Suffix, made.Seed, made.MaxTrainers, made.TrafficShare, made.CheckpointEvery));
        Assert.Equal((2, 1e-4, 8, 0.0, 16, true), (made.Options.NEpochs, made.Options.LearningRate, made.Options.Rank, made.Options.ClipNorm, made.Options.BatchSize, made.Options.TrainProjector));
        Assert.Equal((request.Options.RankPattern, request.Options.AlphaPattern), (made.Options.RankPattern, made.Options.AlphaPattern));
        Assert.Equal("q8", made.Options.BaseWeights);
        Assert.Equal("a", made.Metadata["team"]);
        Assert.Equal(made.Id, (await client.CreateJobAsync(request, headers, cancellationToken: Cancel)).Id);
        Assert.Equal([made.Id], (await client.ListJobsAsync(new ListJobsRequest(), headers, cancellationToken: Cancel)).Jobs.Select(job => job.Id));
        Assert.Empty((await client.ListCheckpointsAsync(new ListCheckpointsRequest { Id = made.Id }, headers, cancellationToken: Cancel)).Checkpoints);
        Assert.Equal("paused", (await client.PauseJobAsync(new PauseJobRequest { Id = made.Id }, headers, cancellationToken: Cancel)).Status);
        Assert.Equal("queued", (await client.ResumeJobAsync(new ResumeJobRequest { Id = made.Id }, headers, cancellationToken: Cancel)).Status);
        Assert.Equal("cancelled", (await client.CancelJobAsync(new CancelJobRequest { Id = made.Id }, headers, cancellationToken: Cancel)).Status);
        using var watched = client.WatchJob(new WatchJobRequest { Id = made.Id, ResumeFrom = 2 }, headers, cancellationToken: Cancel);
        var events = await watched.ResponseStream.ReadAllAsync(Cancel).ToArrayAsync(Cancel);
        Assert.Equal([(3L, "The job goes on."), (4L, "The job was cancelled.")], events.Select(line => (line.Sequence, line.Message)));
        Assert.Equal("cancelled", (await client.GetJobAsync(new GetJobRequest { Id = made.Id }, headers, cancellationToken: Cancel)).Status);

        // Another tenant finds none of it.
        var other = new Metadata { { "authorization", $"Bearer {await fixture.KeyAsync("eavesdropper")}" } };
        foreach (var call in (Func<Task>[])[
            () => client.GetJobAsync(new GetJobRequest { Id = made.Id }, other, cancellationToken: Cancel).ResponseAsync,
            () => client.CancelJobAsync(new CancelJobRequest { Id = made.Id }, other, cancellationToken: Cancel).ResponseAsync,
            () => client.ListCheckpointsAsync(new ListCheckpointsRequest { Id = made.Id }, other, cancellationToken: Cancel).ResponseAsync,
            () => client.WatchJob(new WatchJobRequest { Id = made.Id }, other, cancellationToken: Cancel).ResponseStream.MoveNext(Cancel)])
        {
            Assert.Equal(StatusCode.NotFound, (await Assert.ThrowsAsync<RpcException>(call)).StatusCode);
        }
    }

    [Fact]
    public async Task Grpc_WithABadField_NamesIt()
    {
        using var api = Api.Of(fixture.Front.Address);
        var client = new Llava.V1.Training.TrainingClient(fixture.Grpc);
        var request = new CreateJobRequest { Model = "llava-test", TrainingFile = await api.UploadAsync(), Options = new TuningOptions { Rank = 0 } };
        Assert.Equal("options.rank must be between 1 and 256; was 0.", await RefusedAsync(() => client.CreateJobAsync(request, cancellationToken: Cancel).ResponseAsync));
        Assert.Equal("limit must be between 1 and 1000; was -1.", await RefusedAsync(() => client.ListJobsAsync(new ListJobsRequest { Limit = -1 }, cancellationToken: Cancel).ResponseAsync));
        Assert.Equal("after must be a job's id.", await RefusedAsync(() => client.ListJobsAsync(new ListJobsRequest { After = "x" }, cancellationToken: Cancel).ResponseAsync));
        Assert.Equal("resume_from must be at least 0; was -1.", await RefusedAsync(() => client.WatchJob(new WatchJobRequest { ResumeFrom = -1 }, cancellationToken: Cancel).ResponseStream.MoveNext(Cancel)));
        var adapters = new Llava.V1.Adapters.AdaptersClient(fixture.Grpc);
        Assert.Equal("version must be a version's id, 64 lower-case hexadecimal digits.", await RefusedAsync(() => adapters.RouteAsync(new RouteAdapterRequest { Name = "x", Version = "y" }, cancellationToken: Cancel).ResponseAsync));
        Assert.False((await adapters.RemoveAsync(new RemoveAdapterRequest { Name = "none" }, cancellationToken: Cancel)).Removed);
    }

    [Fact]
    public async Task Grpc_ListsRoutesRollsBackAndRemovesAdapters()
    {
        var key = await fixture.KeyAsync("grpc-adapters");
        using var api = Api.Of(fixture.Front.Address, key);
        var headers = new Metadata { { "authorization", $"Bearer {key}" } };
        var versions = new List<string>();
        foreach (var content in (byte[])[1, 2])
        {
            using var form = new MultipartFormDataContent { { new StringContent("formal"), "name" }, { new StringContent("llava-test"), "model" }, { new ByteArrayContent(Fakes.TestAdapters.File(content)), "file", "a" } };
            versions.Add((string)(await api.PostFormAsync("/v1/adapters", form))["versions"]![0]!["id"]!);
        }

        var client = new Llava.V1.Adapters.AdaptersClient(fixture.Grpc);
        var listed = Assert.Single((await client.ListAsync(new ListAdaptersRequest(), headers, cancellationToken: Cancel)).Adapters);
        Assert.Equal((versions[0], "", 2, true), (listed.InUse, listed.OnTrial, listed.Versions.Count, double.IsNaN(listed.Versions[0].BaseLoss)));
        var routed = await client.RouteAsync(new RouteAdapterRequest { Name = "formal", Version = versions[1], Share = 0.5 }, headers, cancellationToken: Cancel);
        Assert.Equal((versions[0], versions[1], 0.5), (routed.InUse, routed.OnTrial, routed.TrialShare));
        Assert.Equal("", (await client.RollBackAsync(new RollBackAdapterRequest { Name = "formal" }, headers, cancellationToken: Cancel)).OnTrial);
        var models = await new Models.ModelsClient(fixture.Grpc).ListAsync(new ListModelsRequest(), headers, cancellationToken: Cancel);
        Assert.Equal([("llava-test", "llava"), ("llava-test:formal", "grpc-adapters")], models.Models.Select(model => (model.Name, model.OwnedBy)));
        Assert.True((await client.RemoveAsync(new RemoveAdapterRequest { Name = "formal" }, headers, cancellationToken: Cancel)).Removed);
    }

    [Fact]
    public async Task Quotas_AreSetAndTold()
    {
        var client = new Llava.V1.Tenants.TenantsClient(fixture.Grpc);
        using var api = await fixture.ApiAsync("bounded");
        var quota = new Quota { TrainingJobs = 1, TrainingSecondsPerDay = 3600, StorageBytes = 1 << 20 };
        await client.SetQuotaAsync(new SetQuotaRequest { Tenant = "bounded", Quota = quota }, cancellationToken: Cancel);
        await api.UploadAsync();
        var usage = await client.GetUsageAsync(new GetUsageRequest { Tenant = "bounded" }, cancellationToken: Cancel);
        Assert.Equal((1, 3600.0, 1L << 20, (long)Api.Conversations.Length), (usage.Quota.TrainingJobs, usage.Quota.TrainingSecondsPerDay, usage.Quota.StorageBytes, usage.StoredBytes));
        foreach (var (bad, message) in new[]
        {
            (new Quota { TrainingJobs = -1 }, "quota.training_jobs must be between 0 and 2147483647; was -1."),
            (new Quota { TrainingSecondsPerDay = -1 }, "quota.training_seconds_per_day must be between 0 and 1000000000; was -1."),
            (new Quota { StorageBytes = -1 }, "quota.storage_bytes must be at least 0; was -1."),
        })
        {
            Assert.Equal(message, await RefusedAsync(() => client.SetQuotaAsync(new SetQuotaRequest { Tenant = "bounded", Quota = bad }, cancellationToken: Cancel).ResponseAsync));
        }
    }

    private static async Task<string> RefusedAsync(Func<Task> call)
    {
        var fault = await Assert.ThrowsAsync<RpcException>(call);
        Assert.Equal(StatusCode.InvalidArgument, fault.StatusCode);
        return fault.Status.Detail;
    }
}
