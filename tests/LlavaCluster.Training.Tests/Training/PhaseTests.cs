using LlavaCluster.Model.Weights;
using LlavaCluster.Training.Data;
using LlavaCluster.Training.Objectives;
using LlavaCluster.Training.Replicas;
using LlavaCluster.Training.Runs;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Tests.Training;

public sealed class PhaseTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("llava-phase-").FullName;

    private static PhaseOptions Options(long steps = 6) => new()
    {
        Name = "tiny", Steps = steps, SamplesPerStep = 4, LearningRate = 1e-2, ReportEvery = TimeSpan.Zero, CheckpointEvery = TimeSpan.Zero,
    };

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Run_ResumedAfterEveryInterruption_GivesTheLossesAndWeightsOfAnUndisturbedRun()
    {
        var (undisturbed, wanted) = (new List<double>(), Path.Combine(_folder, "whole"));
        Assert.True(Run(wanted, undisturbed, stopAfter: null));
        var (interrupted, file) = (new List<double>(), Path.Combine(_folder, "pieces"));
        while (!Run(file, interrupted, stopAfter: 2))
        {
        }

        Assert.Equal(6, undisturbed.Count);
        Assert.Equal(undisturbed, interrupted);
        Assert.Equal(File.ReadAllBytes(wanted), File.ReadAllBytes(file));
    }

    [Fact]
    public void Run_OfACompletePhase_DoesNothing()
    {
        var file = Path.Combine(_folder, "done");
        Run(file, [], stopAfter: null);
        var losses = new List<double>();

        Assert.True(Run(file, losses, stopAfter: null));
        Assert.Empty(losses);
    }

    [Fact]
    public void Run_LearnsTheSamplesItSees()
    {
        var losses = new List<double>();
        Run(Path.Combine(_folder, "learns"), losses, stopAfter: null, prepare: (_, count) => TinyModel.Batch(0, count), options: Options(60));

        Assert.InRange(losses[^1], 0, losses[0] / 2);
    }

    [Fact]
    public void Run_FromATruncatedCheckpoint_IsRefusedAndTheFileStays()
    {
        var file = Path.Combine(_folder, "cut");
        Run(file, [], stopAfter: 2);
        var cut = File.ReadAllBytes(file)[..^100];
        File.WriteAllBytes(file, cut);

        Assert.Throws<CheckpointException>(() => Run(file, [], stopAfter: null));
        Assert.Equal(cut, File.ReadAllBytes(file));
    }

    [Fact]
    public void StepOf_AFileThatIsNoCheckpoint_SaysSo()
    {
        var file = Path.Combine(_folder, "plain.safetensors");
        using var value = zeros(2);
        SafetensorsWriter.Write(file, [KeyValuePair.Create("x", value)]);
        using var opened = SafetensorsFile.Open(file);

        var refused = Assert.Throws<CheckpointException>(() => PhaseCheckpoint.StepOf(opened));

        Assert.Contains("does not say its step", refused.Message, StringComparison.Ordinal);
    }

    private static bool Run(string file, List<double> losses, int? stopAfter, Func<long, int, TokenBatch>? prepare = null, PhaseOptions? options = null)
    {
        using var scope = NewDisposeScope();
        set_num_threads(1);
        using var stop = new CancellationTokenSource();
        var weights = new WeightInitializer(TinyModel.Config, 3, CPU);
        using var group = new ReplicaGroup<TokenBatch>(source => new NextTokenObjective(TinyModel.Config, source, autocast: false), weights, 2, name => !name.StartsWith("vision", StringComparison.Ordinal));
        var seen = 0;
        return new Phase<TokenBatch>(group, prepare ?? TinyModel.Batch, options ?? Options(), TimeProvider.System).Run(
            file,
            progress =>
            {
                losses.Add(progress.Loss);
                if (++seen == stopAfter)
                {
                    stop.Cancel();
                }
            },
            saved: null,
            stop.Token);
    }
}
