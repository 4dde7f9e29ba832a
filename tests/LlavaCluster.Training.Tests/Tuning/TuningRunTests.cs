using LlavaCluster.Model.Config;
using LlavaCluster.Model.Weights;
using LlavaCluster.Training.Tuning;

namespace LlavaCluster.Training.Tests.Tuning;

public sealed class TuningRunTests : IDisposable
{
    private static readonly TuningRecipe Recipe = new()
    {
        Method = TuningMethod.Lora,
        Lora = new LoraRecipe { Rank = 4, Alpha = 8, Dropout = 0.1, RankPattern = new Dictionary<string, int> { ["v_proj"] = 2 } },
        Epochs = 2, GlobalBatch = 5, MicroBatch = 2, LearningRate = 2e-3, ProjectorLearningRate = 1e-3, ClipNorm = 1, Template = "bare", HeldOutCount = 3, QuestionFirst = 0.5,
    };

    private readonly TuningData _data = new();

    public void Dispose() => _data.Dispose();

    [Theory]
    [InlineData(TuningMethod.Lora)]
    [InlineData(TuningMethod.Projector)]
    [InlineData(TuningMethod.Full)]
    public void Restore_InAnotherRun_GoesOnToTheSameParametersBitForBit(TuningMethod method)
    {
        var recipe = Recipe with { Method = method, Lora = method == TuningMethod.Lora ? Recipe.Lora : null };
        using var data = _data.Open(recipe, TuningData.Records(14));
        using var undisturbed = new TuningRun(TuningData.Model, recipe, data);
        using var state = new MemoryStream();
        for (var step = 0L; step < undisturbed.TotalSteps; step++)
        {
            if (step == 3)
            {
                undisturbed.Save(state);
            }

            Take(undisturbed);
        }

        state.Position = 0;
        using var resumed = new TuningRun(TuningData.Model, recipe, data);
        resumed.Restore(state);
        Assert.Equal(3, resumed.Step);
        while (resumed.Step < resumed.TotalSteps)
        {
            Take(resumed);
        }

        Assert.Equal(6, undisturbed.TotalSteps);
        Assert.True(undisturbed.Parameters.SequenceEqual(resumed.Parameters));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(7)]
    public void Accumulate_OfSeveralParticipants_SumsToTheGradientOfOne(int size)
    {
        using var data = _data.Open(Recipe, TuningData.Records(9));
        using var alone = new TuningRun(TuningData.Model, Recipe, data);
        using var part = new TuningRun(TuningData.Model, Recipe, data);
        var whole = alone.Accumulate(0, 0, 1);
        var (sum, losses, terms) = (new double[part.Gradients.Length], 0.0, 0L);
        for (var rank = 0; rank < size; rank++)
        {
            var share = part.Accumulate(0, rank, size);
            (losses, terms) = (losses + share.Losses, terms + share.Terms);
            for (var i = 0; i < sum.Length; i++)
            {
                sum[i] += part.Gradients[i];
            }
        }

        Assert.Equal(whole.Terms, terms);
        Assert.Equal(whole.Losses, losses, 1e-3);
        for (var i = 0; i < sum.Length; i++)
        {
            Assert.Equal(alone.Gradients[i], sum[i], 2e-4);
        }
    }

    [Theory]
    [InlineData(TuningMethod.Lora)]
    [InlineData(TuningMethod.Projector)]
    [InlineData(TuningMethod.Full)]
    public void Evaluate_AfterSomeEpochsOfTheSameAnswers_FallsBelowTheBasesLossWhichStays(TuningMethod method)
    {
        var recipe = Recipe with { Method = method, Lora = method == TuningMethod.Lora ? Recipe.Lora : null, Epochs = 8, LearningRate = 5e-3 };
        using var data = _data.Open(recipe, TuningData.Records(14));
        using var run = new TuningRun(TuningData.Model, recipe, data);
        var before = run.Evaluate(cancellationToken: TestContext.Current.CancellationToken)!.Value;
        Assert.Equal(run.Evaluate(ofBase: true, cancellationToken: TestContext.Current.CancellationToken)!.Value, before);
        while (run.Step < run.TotalSteps)
        {
            Take(run);
        }

        Assert.Equal(before, run.Evaluate(ofBase: true, cancellationToken: TestContext.Current.CancellationToken)!.Value);
        Assert.InRange(run.Evaluate(cancellationToken: TestContext.Current.CancellationToken)!.Value.Loss, 0, before.Loss - 0.1);
    }

    [Fact]
    public void Export_OfAnAdapter_IsReadBackWithItsPatternsAndProjector()
    {
        using var data = _data.Open(Recipe, TuningData.Records(9));
        using var run = new TuningRun(TuningData.Model, Recipe, data);
        Take(run);
        var folder = Path.Combine(_data.Folder, "adapter");

        run.Export(folder);

        using var read = LoraAdapterReader.Read(folder, LlavaConfigReader.Read(TuningData.Model));
        Assert.Equal(2, read.Modules["language_model.layers.1.self_attn.v_proj"].A.shape[0]);
        Assert.Equal(4, read.Modules["language_model.layers.1.self_attn.v_proj"].Scale);
        Assert.Equal(2, read.Modules["language_model.layers.1.mlp.up_proj"].Scale);
        Assert.Equal(4, read.Replaced.Count);
        Assert.DoesNotContain(read.Modules.Keys, name => name.Contains("vision", StringComparison.Ordinal));
        using var again = new TuningRun(TuningData.Model, Recipe, data, folder);
        Assert.True(again.Parameters.SequenceEqual(run.Parameters));
    }

    [Fact]
    public void Export_OfAModel_LeavesTheTowerBitEqualAndMovesTheRest()
    {
        var recipe = Recipe with { Method = TuningMethod.Full, Lora = null };
        using var data = _data.Open(recipe, TuningData.Records(9));
        using var run = new TuningRun(TuningData.Model, recipe, data);
        Take(run);
        var folder = Path.Combine(_data.Folder, "model");

        run.Export(folder);

        using Checkpoint before = CheckpointReader.Open(TuningData.Model), after = CheckpointReader.Open(folder);
        foreach (var planned in TensorPlan.For(before.Config).Where(planned => !planned.Optional))
        {
            using var scope = TorchSharp.torch.NewDisposeScope();
            var equal = before.Take(planned.Name, [.. planned.Shape]).eq(after.Take(planned.Name, [.. planned.Shape])).all().item<bool>();
            Assert.Equal(planned.Name.StartsWith("vision_tower.", StringComparison.Ordinal), equal);
        }

        Assert.Equal(File.ReadAllBytes(Path.Combine(TuningData.Model, "tokenizer_config.json")), File.ReadAllBytes(Path.Combine(folder, "tokenizer_config.json")));
        using var reopened = new TuningRun(folder, recipe, data);
        Assert.Equal(1, reopened.Accumulate(0, 0, 1).Losses > 0 ? 1 : 0);
    }

    [Fact]
    public void Accumulate_OfALossThatIsNoNumber_NamesStepAndRecordAndChangesNothing()
    {
        using var data = _data.Open(Recipe, TuningData.Records(9));
        using var run = new TuningRun(TuningData.Model, Recipe, data);
        run.Parameters[7] = float.NaN;
        var before = run.Parameters.ToArray();

        var sum = run.Accumulate(0, 0, 1);

        var blamed = run.Blame(sum.Divergence!).ToList();
        Assert.Equal(0, sum.Divergence!.Step);
        Assert.Contains("the loss is not a finite number", sum.Divergence.ToString(), StringComparison.Ordinal);
        Assert.All(blamed[..^1], Assert.Null);
        Assert.StartsWith("r", blamed[^1]!.Id, StringComparison.Ordinal);
        Assert.Contains("the loss is not a finite number at record", blamed[^1]!.ToString(), StringComparison.Ordinal);
        Assert.False(run.Gradients.ContainsAnyExcept(0f));
        Assert.True(System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(before).SequenceEqual(System.Runtime.InteropServices.MemoryMarshal.AsBytes(run.Parameters)));
    }

    [Fact]
    public void Run_ThatCannotBegin_LeavesNothingBehind()
    {
        using var data = _data.Open(Recipe, TuningData.Records(9));
        var adapter = Path.Combine(_data.Folder, "adapter");
        using (var run = new TuningRun(TuningData.Model, Recipe, data))
        {
            run.Export(adapter);
        }

        TorchSharp.DisposeScopeManager.Statistics.Reset();

        Assert.Throws<CheckpointException>(() => new TuningRun(TuningData.Model, Recipe with { Lora = Recipe.Lora! with { Rank = Recipe.Lora.Rank + 1 } }, data, adapter));

        Assert.Equal(0, TorchSharp.DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void Apply_OfASumThatIsNoNumber_IsRefusedAndNothingMoves()
    {
        using var data = _data.Open(Recipe, TuningData.Records(9));
        using var run = new TuningRun(TuningData.Model, Recipe, data);
        var before = run.Parameters.ToArray();
        var sum = run.Accumulate(0, 0, 1);
        run.Gradients[3] = float.PositiveInfinity; // as a peer's would make it

        var outcome = run.Apply(sum.Terms);

        Assert.NotNull(outcome.Divergence);
        Assert.Equal(0, run.Step);
        Assert.True(before.AsSpan().SequenceEqual(run.Parameters));
    }

    [Fact]
    public void Accumulate_CalledAgain_ForgetsTheFirst()
    {
        using var data = _data.Open(Recipe, TuningData.Records(9));
        using var run = new TuningRun(TuningData.Model, Recipe, data);
        var calls = 0;
        run.Accumulate(0, 0, 1, () => calls++);
        var first = run.Gradients.ToArray();
        run.Accumulate(0, 1, 2);
        run.Accumulate(0, 0, 1);

        Assert.Equal(3, calls);
        Assert.True(first.AsSpan().SequenceEqual(run.Gradients));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Apply_StepAfterStep_LeavesNoTensorBehind(bool checkpointing)
    {
        var recipe = Recipe with { GradientCheckpointing = checkpointing };
        using var data = _data.Open(recipe, TuningData.Records(14));
        using var run = new TuningRun(TuningData.Model, recipe, data);
        Take(run);
        TorchSharp.DisposeScopeManager.Statistics.Reset();

        for (var i = 0; i < 3; i++)
        {
            Take(run);
        }

        Assert.Equal(0, TorchSharp.DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void Restore_OfAnotherRunsState_NamesWhatDiffers()
    {
        using var data = _data.Open(Recipe, TuningData.Records(9));
        using var run = new TuningRun(TuningData.Model, Recipe, data);
        using var other = new TuningRun(TuningData.Model, Recipe with { LearningRate = 1 }, data);
        using var state = new MemoryStream();
        run.Save(state);
        state.Position = 0;

        var refused = Assert.Throws<CheckpointException>(() => other.Restore(state));

        Assert.Contains("another recipe", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Restore_OfAStateThatEndsEarly_IsRefused()
    {
        using var data = _data.Open(Recipe, TuningData.Records(9));
        using var run = new TuningRun(TuningData.Model, Recipe, data);
        using var state = new MemoryStream();
        run.Save(state);

        Assert.Throws<CheckpointException>(() => run.Restore(new MemoryStream(state.ToArray()[..^40])));
    }

    private static void Take(TuningRun run)
    {
        var sum = run.Accumulate(run.Step, 0, 1);
        Assert.Null(sum.Divergence);
        Assert.Null(run.Apply(sum.Terms).Divergence);
    }
}
