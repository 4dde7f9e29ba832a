using System.ClientModel;
using System.ClientModel.Primitives;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Gateway.Tests.Fakes;
using LlavaCluster.Gateway.Tests.FineTuning;
using OpenAI;
using OpenAI.Files;
using OpenAI.FineTuning;

namespace LlavaCluster.Gateway.Tests.Clients;

/// <summary>OpenAI's own .NET client of files and fine-tuning against the real gateway.</summary>
public sealed class OpenAiFineTuningTests : IAsyncLifetime
{
    private GatewayServer _server = null!;
    private OpenAIClient _client = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await GatewayServer.StartAsync();
        _client = new OpenAIClient(new ApiKeyCredential("none"), new OpenAIClientOptions { Endpoint = new Uri(_server.Address, "/v1"), RetryPolicy = new ClientRetryPolicy(0) });
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task Files_AreUploadedListedReadAndDeleted()
    {
        var files = _client.GetOpenAIFileClient();
        OpenAIFile made = await files.UploadFileAsync(BinaryData.FromBytes(Api.Conversations), "chats.json", FileUploadPurpose.FineTune);
        Assert.Equal(("chats.json", FilePurpose.FineTune, Api.Conversations.Length), (made.Filename, made.Purpose, made.SizeInBytes));
        OpenAIFileCollection listed = await files.GetFilesAsync(FilePurpose.FineTune, Cancel);
        Assert.Equal([made.Id], listed.Select(file => file.Id));
        Assert.Equal(made.CreatedAt, (await files.GetFileAsync(made.Id, Cancel)).Value.CreatedAt);
        Assert.Equal(Api.Conversations, (await files.DownloadFileAsync(made.Id, Cancel)).Value.ToArray());
        Assert.True((await files.DeleteFileAsync(made.Id, Cancel)).Value.Deleted);
        var fault = await Assert.ThrowsAsync<ClientResultException>(() => files.GetFileAsync(made.Id, Cancel));
        Assert.Equal(404, fault.Status);
    }

    [Fact]
    public async Task Job_IsCreatedFollowedAndCancelled()
    {
        OpenAIFile file = await _client.GetOpenAIFileClient().UploadFileAsync(BinaryData.FromBytes(Api.Conversations), "chats.json", FileUploadPurpose.FineTune);
        var tuning = _client.GetFineTuningClient();
        var job = await tuning.FineTuneAsync("llava-test", file.Id, waitUntilCompleted: false, new FineTuningOptions { Suffix = "formal", Seed = 7 }, Cancel);
        Assert.Equal(("llava-test", "queued", 7, "formal"), (job.BaseModel, job.Status.ToString(), job.Seed, job.UserProvidedSuffix));
        var scripted = _server.Grains.Jobs[$"default/{job.JobId}"];
        Assert.Equal((7, "formal"), (scripted.Info!.Spec.Options.Seed, scripted.Info.Spec.AdapterName));
        scripted.Kept = [new TrainingCheckpoint(5, ObjectId.Of([5]), 10, DateTimeOffset.UnixEpoch, 0.5)];
        scripted.Say("Created.");
        scripted.Say("Step 5/10", TrainingEventKind.Progress, new TrainingMetrics(5, 10, 0.5, 1e-4, 1, 300, 1.5), info => info with { Status = TrainingJobStatus.Running });

        var events = await job.GetEventsAsync(new GetEventsOptions(), Cancel).ToArrayAsync(Cancel);
        Assert.Equal(["Step 5/10", "Created."], events.Select(line => line.Message));
        var checkpoint = Assert.Single(await job.GetCheckpointsAsync(new GetCheckpointsOptions(), Cancel).ToArrayAsync(Cancel));
        Assert.Equal((5, job.JobId), (checkpoint.StepNumber, checkpoint.JobId));
        Assert.Equal([job.JobId], (await tuning.GetJobsAsync(new FineTuningJobCollectionOptions(), Cancel).ToArrayAsync(Cancel)).Select(listed => listed.JobId));
        Assert.Equal("running", (await tuning.GetJobAsync(job.JobId, Cancel)).Status.ToString());
        await job.CancelAndUpdateAsync(Cancel);
        Assert.Equal("cancelled", job.Status.ToString());
    }

    [Fact]
    public async Task Job_ThatSucceeded_NamesItsModel()
    {
        OpenAIFile file = await _client.GetOpenAIFileClient().UploadFileAsync(BinaryData.FromBytes(Api.Conversations), "chats.json", FileUploadPurpose.FineTune);
        var tuning = _client.GetFineTuningClient();
        var job = await tuning.FineTuneAsync("llava-test", file.Id, waitUntilCompleted: false, new FineTuningOptions { Suffix = "formal" }, Cancel);
        _server.Grains.Jobs[$"default/{job.JobId}"].Say("Done.", then: info => info with { Status = TrainingJobStatus.Succeeded, FinishedAt = DateTimeOffset.UnixEpoch.AddSeconds(5) });
        job = await tuning.GetJobAsync(job.JobId, Cancel);
        Assert.Equal(("llava-test:formal", FineTuningStatus.Succeeded), (job.Value, job.Status));
    }
}
