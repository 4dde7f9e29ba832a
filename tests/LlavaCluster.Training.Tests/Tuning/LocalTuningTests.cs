using LlavaCluster.Training.Tuning;
using LlavaCluster.Training.Tuning.Checkpoints;

namespace LlavaCluster.Training.Tests.Tuning;

public sealed class LocalTuningTests : IDisposable
{
    private static readonly TuningRecipe Recipe = new()
    {
        Method = TuningMethod.Lora, Lora = new LoraRecipe { Rank = 2, Alpha = 4, Dropout = 0.05 }, Epochs = 3, GlobalBatch = 4, LearningRate = 2e-3, Template = "bare", HeldOutShare = 0.25, GroupByLength = true,
    };

    private readonly TuningData _data = new();

    public void Dispose() => _data.Dispose();

    [Fact]
    public void Run_KilledBetweenCheckpoints_EndsInTheParametersOfTheUndisturbedRun()
    {
        var wanted = Run("whole", out var whole, out _);
        _ = Run("pieces", out var stopped, out _, stopAfter: 4);
        Assert.False(stopped.Complete);
        // A process that was killed two steps later had written lines and made no checkpoint of them.
        var log = Path.Combine(_data.Folder, "pieces", LocalTuning.StepFile);
        File.AppendAllLines(log, ["5,1,1,1,1,", "6,1,1,1,1,", "7,1"]);

        var had = Run("pieces", out var resumed, out var notes);

        Assert.Equal(9, whole.Steps.Count);
        Assert.Contains("Goes on from step 4 of 9.", notes);
        Assert.Equal(whole.Steps, resumed.Steps);
        Assert.Equal(wanted, had);
        Assert.Equal(File.ReadAllLines(Path.Combine(_data.Folder, "whole", LocalTuning.StepFile)), File.ReadAllLines(log));
        Assert.Equal(whole.After, resumed.After);
    }

    [Fact]
    public void Run_WithItsLatestCheckpointDamaged_GoesOnFromTheOneBeforeAndSaysSo()
    {
        var wanted = Run("whole", out _, out _);
        _ = Run("damaged", out _, out _, stopAfter: 4, every: TimeSpan.Zero);
        var store = new CheckpointStore(Path.Combine(_data.Folder, "damaged"));
        var latest = store.List()[0];
        var bytes = File.ReadAllBytes(latest.Path);
        bytes[^5] ^= 1;
        File.WriteAllBytes(latest.Path, bytes);

        var had = Run("damaged", out _, out var notes);

        Assert.Equal(4, latest.Step);
        Assert.Contains(notes, note => note.Contains("is damaged", StringComparison.Ordinal));
        Assert.Contains("Goes on from step 3 of 9.", notes);
        Assert.Equal(wanted, had);
    }

    [Fact]
    public void Run_OfACompleteRun_MakesNoStep()
    {
        var first = Run("done", out _, out _);
        var seen = 0;
        using var data = _data.Open(Recipe, TuningData.Records(16));
        using var run = new TuningRun(TuningData.Model, Recipe, data);

        var result = new LocalTuning(run, Path.Combine(_data.Folder, "done"), TimeProvider.System).Run(_ => seen++, TestContext.Current.CancellationToken);

        Assert.True(result.Complete);
        Assert.Equal(0, seen);
        Assert.Equal(first, run.Parameters.ToArray());
    }

    [Fact]
    public void Save_KeepsTheLatestAndLeavesNothingHalf()
    {
        var folder = Path.Combine(_data.Folder, "store");
        var store = new CheckpointStore(folder, keep: 2);
        for (var step = 1; step <= 4; step++)
        {
            store.Save(step, stream => stream.WriteByte((byte)step));
        }

        Assert.Throws<IOException>(() => store.Save(5, stream =>
        {
            stream.WriteByte(5);
            throw new IOException("No space left on device");
        }));

        Assert.Equal([4, 3], store.List().Select(stored => stored.Step));
        Assert.Equal(2, Directory.GetFiles(folder).Length);
        var read = -1;
        Assert.Equal(4, store.Restore(stream => read = stream.ReadByte(), _ => { })!.Step);
        Assert.Equal(4, read);
    }

    private float[] Run(string name, out LocalTuningResult result, out List<string> notes, int? stopAfter = null, TimeSpan? every = null)
    {
        var (told, seen) = (new List<string>(), 0);
        using var stop = new CancellationTokenSource();
        using var data = _data.Open(Recipe, TuningData.Records(16));
        using var run = new TuningRun(TuningData.Model, Recipe, data);
        var local = new LocalTuning(run, Path.Combine(_data.Folder, name), TimeProvider.System) { Note = told.Add, CheckpointEvery = every ?? TimeSpan.FromHours(1) };
        result = local.Run(
            _ =>
            {
                if (++seen == stopAfter)
                {
                    stop.Cancel();
                }
            },
            stop.Token);
        notes = told;
        return run.Parameters.ToArray();
    }
}
