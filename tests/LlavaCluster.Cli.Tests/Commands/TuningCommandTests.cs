using LlavaCluster.Abstractions.Adapters;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Gateway.Tests.Fakes;

namespace LlavaCluster.Cli.Tests.Commands;

/// <summary>The commands of files, jobs and adapters, against the real gateway over scripted grains.</summary>
public sealed class TuningCommandTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("llava-tuning-").FullName;
    private GatewayServer _server = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _server = await GatewayServer.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Files_AreUploadedListedAndDeleted()
    {
        var file = await FileAsync("chats.json", "[{}]"u8.ToArray());
        var id = (await RunAsync("files", "upload", file)).Trim();
        Assert.Equal($"file-{ObjectId.Of("[{}]"u8)}", id);
        var listed = await RunAsync("files", "list", "--purpose", "fine-tune");
        Assert.Contains(id, listed, StringComparison.Ordinal);
        Assert.Contains("chats.json", listed, StringComparison.Ordinal);
        Assert.Equal("Deleted.", (await RunAsync("files", "delete", id)).Trim());
        Assert.Equal("There is no such file.", await FailAsync("files", "delete", id));
        Assert.Equal("file must not be empty.", await FailAsync("files", "upload", await FileAsync("empty.json", [])));
    }

    [Fact]
    public async Task Create_UploadsWhatIsHere_AndSaysEveryOption()
    {
        var data = await FileAsync("chats.json", "[{}]"u8.ToArray());
        var images = await FileAsync("pictures.zip", [(byte)'P', (byte)'K', 3, 4]);
        var id = (await RunAsync(
            "jobs", "create", "--data", data, "--images", images, "--name", "formal", "--epochs", "2", "--batch-size", "8", "--learning-rate", "2e-4", "--rank", "8", "--alpha", "16", "--target-module", "q_proj", "--target-module", "v_proj",
            "--rank-pattern", "(q|k)_proj=4", "--rank-pattern", "layers.1=8", "--alpha-pattern", "q_proj=2.5", "--base-weights", "q8", "--max-trainers", "2", "--traffic-share", "0.5", "--skip-bad-records", "--seed", "7")).Trim();
        var spec = _server.Grains.Jobs[$"default/{id}"].Info!.Spec;
        Assert.Equal(("llava-test", "formal", 2, 0.5, ObjectId.Of("[{}]"u8)), (spec.Model, spec.AdapterName, spec.MaxTrainers, spec.TrafficShare, spec.TrainingFile));
        Assert.Equal((2, 8, 2e-4, 8, 16.0, true, 7), (spec.Options.Epochs, spec.Options.BatchSize, spec.Options.LearningRate, spec.Options.Rank, spec.Options.Alpha, spec.Options.SkipBadRecords, spec.Options.Seed));
        Assert.Equal(["q_proj", "v_proj"], spec.Options.TargetModules);
        Assert.Equal([new("(q|k)_proj", 4), new("layers.1", 8)], spec.Options.RankPattern);
        Assert.Equal([new("q_proj", 2.5)], spec.Options.AlphaPattern);
        Assert.Equal(BaseWeights.Q8, spec.Options.BaseWeights);
        Assert.NotNull(spec.Images);
        Assert.Equal("There is no file \"none.json\", and it is not the id of one that was uploaded.", await FailAsync("jobs", "create", "--data", "none.json"));
        Assert.Equal("method.supervised.hyperparameters.rank must be between 1 and 256; was 0.", await FailAsync("jobs", "create", "--data", data, "--rank", "0"));
        Assert.Equal("--rank-pattern must be MODULES=NUMBER, each MODULES once; was \"q_proj\".", await FailAsync("jobs", "create", "--data", data, "--rank-pattern", "q_proj"));
        Assert.Equal("--alpha-pattern must be MODULES=NUMBER, each MODULES once; was \"q_proj=2\".", await FailAsync("jobs", "create", "--data", data, "--alpha-pattern", "q_proj=1", "--alpha-pattern", "q_proj=2"));

        Assert.Contains("formal", await RunAsync("jobs", "list"), StringComparison.Ordinal);
        Assert.Contains("\"status\": \"queued\"", await RunAsync("jobs", "get", id), StringComparison.Ordinal);
        Assert.Equal($"{id} is paused.", (await RunAsync("jobs", "pause", id)).Trim());
        Assert.Equal($"{id} is queued.", (await RunAsync("jobs", "resume", id)).Trim());
        Assert.Equal($"{id} is cancelled.", (await RunAsync("jobs", "cancel", id)).Trim());
        Assert.Equal("There is no such job.", await FailAsync("jobs", "get", "ftjob-1"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Watch_OfAJobThatSucceeds_ShowsItAndDrawsItsLoss(bool interactive)
    {
        var (id, job) = await CreateAsync();
        job.Kept = [new TrainingCheckpoint(5, ObjectId.Of([5]), 10, DateTimeOffset.UnixEpoch, 0.75)];
        job.Say("Trainer \u001bjoined.", TrainingEventKind.Warning);
        job.Say("Step 5/10", TrainingEventKind.Progress, Metrics(5, 0.75));
        job.Say("Step 10/10", TrainingEventKind.Progress, Metrics(10, 0.5));
        job.Say("The job succeeded.", then: info => info with { Status = TrainingJobStatus.Succeeded, FinishedAt = DateTimeOffset.UnixEpoch, Result = new TrainingResult(ObjectId.Of([1]), 9, 1.5, 0.25) });
        var plot = Path.Combine(_folder, "loss.svg");
        var (code, printed, errors) = await CommandLine.RunAsync(["jobs", "watch", id, "--plot", plot, "--url", _server.Address.AbsoluteUri], TextReader.Null, interactive, Cancel);
        Assert.True(code == 0, errors);
        Assert.Contains("warn: Trainer joined.", printed, StringComparison.Ordinal);
        // The bar is drawn where the console can move its cursor, which this one cannot.
        Assert.Equal(!interactive, printed.Contains("step 10/10, loss 0.5000, rate 1.00e-4, 300 tokens/s", StringComparison.Ordinal));
        Assert.Contains("llava-test:formal answers: loss 1.5000 of the base, 0.2500 with the adapter.", printed, StringComparison.Ordinal);
        Assert.Contains("<svg", await File.ReadAllTextAsync(plot, Cancel), StringComparison.Ordinal);
        Assert.Contains("Step 5/10", await RunAsync("jobs", "events", id), StringComparison.Ordinal);
        Assert.Contains("0.7500", await RunAsync("jobs", "checkpoints", id), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Watch_OfAJobThatFails_SaysWhyAndFails()
    {
        var (id, job) = await CreateAsync();
        job.Say("Bad data.", TrainingEventKind.Error, then: info => info with { Status = TrainingJobStatus.Failed, Reason = "Record 3 has no picture.", FinishedAt = DateTimeOffset.UnixEpoch });
        Assert.Equal("The job is failed. Record 3 has no picture.", await FailAsync("jobs", "watch", id));
        Assert.Equal("There is no such job.", await FailAsync("jobs", "watch", "ftjob-1"));
    }

    [Fact]
    public async Task Adapters_AreImportedListedExportedAndRemoved()
    {
        var file = await FileAsync("formal.safetensors", TestAdapters.File(1));
        var version = ObjectId.Of(TestAdapters.File(1));
        Assert.Equal($"llava-test:formal: 100% {version}", (await RunAsync("adapters", "import", file, "--name", "formal", "--model", "llava-test")).Trim());
        Assert.Contains($"{version}", await RunAsync("adapters", "list"), StringComparison.Ordinal);
        var copy = Path.Combine(_folder, "copy.safetensors");
        await RunAsync("adapters", "export", "formal", "--out", copy);
        Assert.Equal(TestAdapters.File(1), await File.ReadAllBytesAsync(copy, Cancel));
        Assert.Equal("Removed.", (await RunAsync("adapters", "remove", "formal")).Trim());
        Assert.Equal("There is no adapter \"formal\".", await FailAsync("adapters", "remove", "formal"));
        Assert.StartsWith($"{_folder}: is not an adapter folder", await FailAsync("adapters", "import", _folder, "--name", "formal", "--model", "llava-test"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Traffic_AndRollBack_ShowWhereItGoes()
    {
        var adapters = _server.Grains.Adapters.GetOrAdd("default", _ => new FakeAdapters());
        var (first, second) = (ObjectId.Of([1]), ObjectId.Of([2]));
        foreach (var version in (ObjectId[])[first, second])
        {
            await adapters.PublishAsync("formal", new AdapterVersion(version, "llava-test", DateTimeOffset.UnixEpoch, 1, null, double.NaN, double.NaN), null, Cancel);
        }

        Assert.Equal([$"llava-test:formal: 25% {second}", $"llava-test:formal: 75% {first}"], Lines(await RunAsync("adapters", "traffic", "formal", second.Value, "0.25")));
        Assert.Equal([$"llava-test:formal: 100% {first}"], Lines(await RunAsync("adapters", "rollback", "formal")));
    }

    [Fact]
    public async Task Quota_OfTraining_IsSetAndTold()
    {
        var told = Lines(await RunAsync("tenants", "quota", "acme", "--training-jobs", "2", "--training-seconds-per-day", "3600", "--storage-mb", "10"));
        var quota = _server.Grains.Tenants["acme"].Quota;
        Assert.Equal((2, 3600.0, 10L << 20), (quota.TrainingJobs, quota.TrainingSecondsPerDay, quota.StorageBytes));
        Assert.Contains("training jobs at a time: 2", told);
        Assert.Contains("stored bytes: 0 of 10485760", told);
        Assert.Contains("training seconds a day: no limit", Lines(await RunAsync("tenants", "quota", "acme", "--training-seconds-per-day", "-1")));
    }

    [Fact]
    public async Task AServerThatIsNotThere_IsToldAtOnce()
    {
        var (code, _, errors) = await CommandLine.RunAsync(["jobs", "watch", "ftjob-1", "--url", "http://127.0.0.1:1"], Cancel);
        Assert.Equal(1, code);
        Assert.Contains("127.0.0.1:1", errors, StringComparison.Ordinal);
    }

    private static string[] Lines(string printed) => printed.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static TrainingMetrics Metrics(long step, double loss) => new(step, 10, loss, 1e-4, 1, 300, 1);

    private async Task<(string Id, FakeJob Job)> CreateAsync()
    {
        var id = (await RunAsync("jobs", "create", "--data", await FileAsync("chats.json", "[{}]"u8.ToArray()), "--name", "formal")).Trim();
        return (id, _server.Grains.Jobs[$"default/{id}"]);
    }

    private async Task<string> FileAsync(string name, byte[] content)
    {
        var path = Path.Combine(_folder, name);
        await File.WriteAllBytesAsync(path, content, Cancel);
        return path;
    }

    private async Task<string> RunAsync(params string[] arguments)
    {
        var (code, printed, errors) = await CommandLine.RunAsync([.. arguments, "--url", _server.Address.AbsoluteUri], Cancel);
        Assert.True(code == 0, errors);
        return printed;
    }

    private async Task<string> FailAsync(params string[] arguments)
    {
        var (code, _, errors) = await CommandLine.RunAsync([.. arguments, "--url", _server.Address.AbsoluteUri], Cancel);
        Assert.Equal(1, code);
        return errors.Trim();
    }
}
