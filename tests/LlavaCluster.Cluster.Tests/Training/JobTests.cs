using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Weights;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Cluster.Tests.Training;

/// <summary>Jobs by a real trainer beside a real engine.</summary>
public sealed class JobTests : IAsyncLifetime
{
    private readonly CancellationTokenSource _deadline = new(TimeSpan.FromSeconds(120));
    private TrainingHost _host = null!;

    private CancellationToken Stop => _deadline.Token;

    public async ValueTask InitializeAsync() => _host = await TrainingHost.StartAsync(Stop);

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        _deadline.Dispose();
    }

    [Fact]
    public async Task Job_LearnsItsDataAndStoresAnAdapterOfItsBase()
    {
        var (records, pictures) = await _host.StoreDataAsync(40, Stop);
        var info = await RunAsync(Spec(records, pictures));

        Assert.Equal((TrainingJobStatus.Succeeded, null), (info.Status, info.Reason));
        Assert.True(info.Result!.AdapterLoss < 0.8 * info.Result.BaseLoss, $"{info.Result}");
        Assert.Equal(info.TotalSteps, info.Step);
        Assert.True(info.DeviceSeconds > 0);
        Assert.Equal(info.Result.Adapter, await _host.Adapters.ResolveAsync(TrainingHost.Model, "pictures", "any", Stop));
        var file = Path.GetTempFileName();
        await using (var stored = await _host.Objects.OpenAsync(TrainingHost.Tenant, info.Result.Adapter, Stop))
        await using (var copy = File.Create(file))
        {
            await stored!.CopyToAsync(copy, Stop);
        }

        using var weights = LoraAdapterReader.Read(file, LlavaConfigReader.Read(Goldens.Path(TrainingHost.Model)));
        Assert.NotEmpty(weights.Modules);
        Assert.NotEmpty(weights.Replaced);
        File.Delete(file);
    }

    [Fact]
    public async Task Job_WithABadRecord_FailsAndNamesIt_OrSkipsItWhenItMay()
    {
        var records = await _host.StoreAsync("""[{"id":"a","conversations":[{"from":"human","value":"Who?"},{"from":"gpt","value":""}]},{"id":"b","conversations":[{"from":"human","value":"Who?"},{"from":"gpt","value":"I."}]}]"""u8.ToArray(), Stop);
        var spec = Spec(records, null) with { Options = new TuningOptions { HeldOut = 0, BatchSize = 1, MicroBatch = 1 } };

        var refused = await RunAsync(spec);
        var skipped = await RunAsync(spec with { Options = spec.Options with { SkipBadRecords = true } });

        Assert.Equal(TrainingJobStatus.Failed, refused.Status);
        Assert.Contains("1 of 2 records are bad. Record 0 (a)", refused.Reason, StringComparison.Ordinal);
        Assert.Equal(TrainingJobStatus.Succeeded, skipped.Status);
    }

    [Fact]
    public async Task Job_WithStepsOfItsOwn_LearnsAndCountsThemAll()
    {
        var (records, pictures) = await _host.StoreDataAsync(40, Stop);
        var spec = Spec(records, pictures);
        var key = TrainingJobKey.New(TrainingHost.Tenant);
        var info = await RunAsync(spec with { CheckpointEvery = 4, Options = spec.Options with { LocalSteps = 8 } }, key);

        Assert.Equal((TrainingJobStatus.Succeeded, null), (info.Status, info.Reason));
        Assert.Equal(info.TotalSteps, info.Step);
        Assert.True(info.Result!.AdapterLoss < 0.9 * info.Result.BaseLoss, $"{info.Result}");
        var checkpoints = await _host.Job(key).CheckpointsAsync(Stop);
        Assert.NotEmpty(checkpoints);
        Assert.All(checkpoints, checkpoint => Assert.Equal(0, checkpoint.Step % 8)); // where all agree
    }

    [Fact]
    public async Task Job_WithAValidationFile_IsJudgedByIt()
    {
        var (records, pictures) = await _host.StoreDataAsync(40, Stop);
        var validation = await _host.StoreAsync("""[{"id":"v","image":"gray.png","conversations":[{"from":"human","value":"<image>\nWhat is it?"},{"from":"gpt","value":"A house, a tree and a very long river."}]}]"""u8.ToArray(), Stop);
        var (kept, judged) = (await RunAsync(Spec(records, pictures)), await RunAsync(Spec(records, pictures) with { ValidationFile = validation }));

        Assert.Equal(TrainingJobStatus.Succeeded, judged.Status);
        Assert.True(double.IsFinite(judged.Result!.BaseLoss) && double.IsFinite(judged.Result.AdapterLoss), $"{judged.Result}");
        Assert.True(judged.Result.AdapterLoss > 2 * kept.Result!.AdapterLoss, $"{judged.Result} {kept.Result}"); // what the data do not teach
    }

    [Fact]
    public async Task Job_WhoseFileIsGone_FailsAndSaysSo()
    {
        var info = await RunAsync(Spec(ObjectId.Of([1, 2, 3]), null));

        Assert.Equal(TrainingJobStatus.Failed, info.Status);
        Assert.Contains("training_file", info.Reason, StringComparison.Ordinal);
    }

    private async Task<TrainingJobInfo> RunAsync(TrainingJobSpec spec, TrainingJobKey? at = null)
    {
        var key = at ?? TrainingJobKey.New(TrainingHost.Tenant);
        Assert.Null((await _host.Job(key).CreateAsync(spec, Stop)).Failure);
        await foreach (var line in _host.Job(key).WatchAsync(0, Stop).WithCancellation(Stop))
        {
            TestContext.Current.SendDiagnosticMessage(line.Message);
        }

        return (await _host.Job(key).GetAsync(Stop))!;
    }

    private static TrainingJobSpec Spec(ObjectId records, ObjectId? pictures) => new()
    {
        Model = TrainingHost.Model, TrainingFile = records, Images = pictures, AdapterName = "pictures",
        Options = new TuningOptions { Epochs = 4, BatchSize = 4, LearningRate = 5e-3, Rank = 8, Alpha = 16 },
    };
}
