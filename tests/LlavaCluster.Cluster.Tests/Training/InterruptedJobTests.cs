using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Cluster.Tests.Training;

/// <summary>Jobs by a real trainer that must wait or stop in their middle: what they make is what an undisturbed one makes, and what stops them is named.</summary>
public sealed class InterruptedJobTests : IDisposable
{
    private readonly CancellationTokenSource _deadline = new(TimeSpan.FromSeconds(120));

    private CancellationToken Stop => _deadline.Token;

    public void Dispose() => _deadline.Dispose();

    [Fact]
    public async Task Job_WhoseQuotaIsUsedUpOrWhoseNewestCheckpointIsDamaged_MakesTheAdapterOfAnUndisturbedOne()
    {
        await using var host = await TrainingHost.StartAsync(Stop);
        var spec = await SpecAsync(host);
        var expected = (await FinishAsync(host, await CreateAsync(host, spec))).Info.Result!.Adapter;

        // The quota: it waits as its state says, and goes on by itself when there is more.
        var usage = await host.TenantGrain.UsageAsync(Stop);
        await host.TenantGrain.SetQuotaAsync(new TenantQuota { TrainingSecondsPerDay = usage.TrainingSecondsToday + 1 }, Stop);
        var job = await CreateAsync(host, spec);
        await SaysAsync(host, job, "The job waits: training must take <=");
        Assert.Equal(TrainingJobStatus.Paused, (await host.Job(job).GetAsync(Stop))!.Status);
        await host.TenantGrain.SetQuotaAsync(new TenantQuota(), Stop);
        var (info, events) = await FinishAsync(host, job);
        Assert.Equal(expected, info.Result!.Adapter);
        Assert.Contains(events, line => line.Message.Contains("quota allows it again", StringComparison.Ordinal));

        // The newest checkpoint: the one before it stands.
        job = await CreateAsync(host, spec with { CheckpointEvery = 25 });
        await SaysAsync(host, job, "Checkpoint at step 25");
        Assert.Null((await host.Job(job).PauseAsync(Stop)).Failure);
        await host.HasLeftAsync(job, Stop); // its trainer has stored a checkpoint
        var checkpoints = await host.Job(job).CheckpointsAsync(Stop);
        await File.WriteAllTextAsync(host.FileOf(checkpoints[0].Object), "no state", Stop);
        Assert.Null((await host.Job(job).ResumeAsync(Stop)).Failure);
        (info, events) = await FinishAsync(host, job);
        Assert.Equal(expected, info.Result!.Adapter);
        Assert.Contains(events, line => line.Message == $"The checkpoint of step {checkpoints[0].Step} is damaged and was skipped.");
    }

    [Fact]
    public async Task Job_WhoseLossIsNoNumber_StopsWithItsLastCheckpointAndNamesTheRecord()
    {
        var folder = Directory.CreateTempSubdirectory("llava-");
        var model = Path.Combine(folder.FullName, TrainingHost.Model);
        CopyWithBrokenSnowman(Goldens.Path(TrainingHost.Model), model);
        await using var host = await TrainingHost.StartAsync(Stop, model);
        var records = Enumerable.Range(0, 40).Select(i => new { id = $"r{i}", conversations = new[] { new { from = "human", value = "What is it?" }, new { from = "gpt", value = i == 17 ? "A \u2603." : "A house." } } });
        var file = await host.StoreAsync(JsonSerializer.SerializeToUtf8Bytes(records), Stop);
        // One sample a step and none kept out: the record comes somewhere in the first epoch, and with this seed not first.
        var spec = new TrainingJobSpec { Model = TrainingHost.Model, TrainingFile = file, AdapterName = "broken", CheckpointEvery = 1, Options = new TuningOptions { Epochs = 1, BatchSize = 1, MicroBatch = 1, HeldOut = 0, Seed = 7 } };

        var (info, events) = await FinishAsync(host, await CreateAsync(host, spec), TrainingJobStatus.Failed);

        Assert.Contains("record 17 (r17)", info.Reason, StringComparison.Ordinal);
        Assert.Equal((TrainingEventKind.Error, info.Reason), (events[^1].Kind, events[^1].Message));
        var left = Assert.Single(await host.Job(info.Key).CheckpointsAsync(Stop));
        Assert.Equal(left.Object, ObjectId.Of(await File.ReadAllBytesAsync(host.FileOf(left.Object), Stop)));
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Job_WhoseAdapterNoWorkerCouldServe_IsRefusedBeforeItTrains()
    {
        await using var host = await TrainingHost.StartAsync(Stop, adapterBytes: 1000);
        var (info, _) = await FinishAsync(host, await CreateAsync(host, await SpecAsync(host)), TrainingJobStatus.Failed);

        Assert.StartsWith("The adapter must have <= 1000 bytes to be served; it would have ", info.Reason, StringComparison.Ordinal);
        Assert.Equal(0, info.Step);
    }

    private async Task<TrainingJobSpec> SpecAsync(TrainingHost host)
    {
        var (records, pictures) = await host.StoreDataAsync(40, Stop);
        return new TrainingJobSpec
        {
            Model = TrainingHost.Model, TrainingFile = records, Images = pictures, AdapterName = "pictures",
            Options = new TuningOptions { Epochs = 8, BatchSize = 4, MicroBatch = 1, LearningRate = 5e-3, Rank = 8, Alpha = 16 },
        };
    }

    private async Task<TrainingJobKey> CreateAsync(TrainingHost host, TrainingJobSpec spec)
    {
        var key = TrainingJobKey.New(TrainingHost.Tenant);
        Assert.Null((await host.Job(key).CreateAsync(spec, Stop)).Failure);
        return key;
    }

    private async Task SaysAsync(TrainingHost host, TrainingJobKey job, string message)
    {
        await foreach (var line in host.Job(job).WatchAsync(0, Stop).WithCancellation(Stop))
        {
            if (line.Message.Contains(message, StringComparison.Ordinal))
            {
                return;
            }
        }

        Assert.Fail($"The job ended without saying \"{message}\".");
    }

    private async Task<(TrainingJobInfo Info, List<TrainingEvent> Events)> FinishAsync(TrainingHost host, TrainingJobKey job, TrainingJobStatus status = TrainingJobStatus.Succeeded)
    {
        var events = new List<TrainingEvent>();
        await foreach (var line in host.Job(job).WatchAsync(0, Stop).WithCancellation(Stop))
        {
            events.Add(line);
        }

        var info = (await host.Job(job).GetAsync(Stop))!;
        Assert.True(info.Status == status, $"{info.Status} {info.Reason}");
        return (info, events);
    }

    /// <summary>A copy of a model in whose eyes the first byte of a snowman is no number.</summary>
    private static void CopyWithBrokenSnowman(string from, string to)
    {
        const int firstByte = 3 + 0xE2; // SentencePiece has its 256 bytes after three special tokens
        Directory.CreateDirectory(to);
        foreach (var file in Directory.EnumerateFiles(from))
        {
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        }

        var path = Path.Combine(to, "model.safetensors");
        var bytes = File.ReadAllBytes(path);
        var head = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        var table = JsonDocument.Parse(bytes.AsMemory(8, head)).RootElement.GetProperty("language_model.model.embed_tokens.weight");
        var (width, offset) = (table.GetProperty("shape")[1].GetInt32(), table.GetProperty("data_offsets")[0].GetInt32());
        MemoryMarshal.Cast<byte, float>(bytes.AsSpan(8 + head + offset))[(firstByte * width)..((firstByte + 1) * width)].Fill(float.NaN);
        File.WriteAllBytes(path, bytes);
    }
}
