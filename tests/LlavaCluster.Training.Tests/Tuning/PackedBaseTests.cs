using LlavaCluster.Model.Layers;
using LlavaCluster.Model.Weights;
using LlavaCluster.TestSupport;
using LlavaCluster.Training.Optimisation;
using LlavaCluster.Training.Precision;
using LlavaCluster.Training.Tuning;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Tests.Tuning;

/// <summary>Runs over a base in 8 bits, compared with runs over the base as it is stored and over one whose matrices are what the 8 bits stand for.</summary>
public sealed class PackedBaseTests : IDisposable
{
    /// <summary>A magnitude is a whole number of 127ths of its group's largest, rounded to the nearest, and the scale itself has 11 bits.</summary>
    private const double Rounding = (0.5 + (127.0 / 2048)) / 127;

    private static readonly TuningRecipe Lora = new()
    {
        Method = TuningMethod.Lora, Lora = new LoraRecipe { Rank = 4, Alpha = 8, Dropout = 0.1 },
        Epochs = 2, GlobalBatch = 5, MicroBatch = 2, LearningRate = 2e-3, ProjectorLearningRate = 1e-3, ClipNorm = 1, Template = "bare", HeldOutCount = 3, BaseWeights = BaseWeights.Q8,
    };

    private static readonly TuningRecipe Projector = Lora with { Method = TuningMethod.Projector, Lora = null };

    private readonly TuningData _data = new();

    public void Dispose() => _data.Dispose();

    [Theory]
    [InlineData(TuningMethod.Lora, false)]
    [InlineData(TuningMethod.Lora, true)]
    [InlineData(TuningMethod.Projector, false)]
    public void Steps_GiveTheParametersOfARunOnWhatTheEightBitsStandFor(TuningMethod method, bool checkpointing)
    {
        var recipe = (method == TuningMethod.Lora ? Lora : Projector) with { GradientCheckpointing = checkpointing };
        var rounded = RoundedCopy();
        using var data = _data.Open(recipe, TuningData.Records(14));
        using var packed = new TuningRun(TuningData.Model, recipe, data);
        using var plain = new TuningRun(rounded, recipe with { BaseWeights = BaseWeights.Stored }, data);
        while (packed.Step < packed.TotalSteps)
        {
            var (one, other) = (packed.Accumulate(packed.Step, 0, 1), plain.Accumulate(plain.Step, 0, 1));
            Assert.Equal(other.Losses / other.Terms, one.Losses / one.Terms, 1e-5);
            AssertClose(plain.Gradients, packed.Gradients, 1e-5 * L2Norm.Of(plain.Gradients));
            packed.Apply(one.Terms);
            plain.Apply(other.Terms);
        }

        Assert.Equal(6, packed.Step);
        AssertClose(plain.Parameters, packed.Parameters, 1e-5);
        Assert.Equal(plain.Evaluate(cancellationToken: TestContext.Current.CancellationToken)!.Value.Loss, packed.Evaluate(cancellationToken: TestContext.Current.CancellationToken)!.Value.Loss, 1e-5);
    }

    [Fact]
    public void Loss_IsWithinTheFormatsErrorOfTheStoredBases()
    {
        // Without pictures the tower does not matter, and stage 2 has the gradient of all else.
        var records = Enumerable.Range(0, 5).Select(i => TuningData.Record($"r{i}", null, ($"What is number {i}?", "It is grey."), ("Why?", $"Because of {i}.")));
        var lora = Lora with { HeldOutCount = 0 };
        using var data = _data.Open(lora, records);
        using var packed = new TuningRun(TuningData.Model, lora, data);
        using var stored = new TuningRun(TuningData.Model, lora with { BaseWeights = BaseWeights.Stored }, data);
        var full = lora with { Method = TuningMethod.Full, Lora = null, BaseWeights = BaseWeights.Stored };
        using var gradients = new TuningRun(TuningData.Model, full, data);
        gradients.Accumulate(0, 0, 1);

        var (near, exact) = (packed.Accumulate(0, 0, 1), stored.Accumulate(0, 0, 1));

        // To the first order a loss changes by its gradient times the roundings, which are as good as drawn evenly from a scale's width, each for itself.
        var deviation = Deviation(gradients.Gradients, full);
        Assert.InRange(Math.Abs(near.Losses - exact.Losses), 1e-7, 5 * deviation);
        Assert.InRange(5 * deviation, 0, 0.02 * exact.Losses); // it says something
        var difference = packed.Gradients.ToArray();
        for (var i = 0; i < difference.Length; i++)
        {
            difference[i] -= stored.Gradients[i];
        }

        // Seven products deep in three layers, each with that share of noise and with the noise of its input.
        Assert.InRange(L2Norm.Of(difference) / L2Norm.Of(stored.Gradients), 1e-7, 3 * 7 * Rounding);
    }

    [Fact]
    public void Frozen_BytesAndLossAreTheSameAfterTraining()
    {
        using var data = _data.Open(Lora, TuningData.Records(14));
        using var model = TuningModel.Open(TuningData.Model, Lora, null);
        using var optimiser = new FusedAdamW(model.Groups(), new AdamWOptions());
        byte[][] before = [.. model.Packed.Select(packed => packed.Bytes.ToArray())];
        var batch = MicroBatchFeed.Load(data, [0, 1, 2]);
        var loss = model.Evaluate(batch, ofBase: true);

        for (var step = 0; step < 3; step++)
        {
            using var scope = NewDisposeScope();
            model.Loss(batch, step).backward();
            optimiser.Step(1);
        }

        // 3 layers of the language model and its head; of the tower the 3 blocks that run, and their 6 projections.
        Assert.Equal((3 * 7) + 1 + (3 * 6), model.Packed.Count);
        Assert.All(model.Packed.Zip(before), pair => Assert.True(pair.First.Bytes.SequenceEqual(pair.Second)));
        Assert.Equal(loss, model.Evaluate(batch, ofBase: true));
        Assert.NotEqual(loss, model.Evaluate(batch, ofBase: false));
    }

    [Fact]
    public void Steps_InBFloat16_StayNearThoseInFloat32()
    {
        Assert.SkipUnless(Autocast.IsFaster, "This processor has no products in bfloat16.");
        using var data = _data.Open(Lora, TuningData.Records(14));
        using var wide = new TuningRun(TuningData.Model, Lora, data);
        using var narrow = new TuningRun(TuningData.Model, Lora with { BFloat16 = true }, data);

        var (exact, near) = (wide.Accumulate(0, 0, 1), narrow.Accumulate(0, 0, 1));

        Assert.InRange(near.Losses / exact.Losses, 0.99, 1.01); // 8 bits of a number: 0.4 % of each
        Assert.InRange(L2Norm.Of(narrow.Gradients) / L2Norm.Of(wide.Gradients), 0.97, 1.03);
    }

    [Fact]
    public void Run_LeavesNoTensor()
    {
        using var data = _data.Open(Lora, TuningData.Records(14));
        DisposeScopeManager.Statistics.Reset();
        using (var run = new TuningRun(TuningData.Model, Lora with { GradientCheckpointing = true }, data))
        {
            run.Apply(run.Accumulate(0, 0, 1).Terms);
            run.Evaluate(cancellationToken: TestContext.Current.CancellationToken);
        }

        Assert.Equal(0, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void Open_OfAMatrixThatIsNoWholeNumberOfGroups_IsRefusedByName()
    {
        var refused = Assert.Throws<CheckpointException>(() => TuningModel.Open(Goldens.Path("c_llava_next"), Projector, null));

        Assert.Contains("cannot be held in q8 (base_weights): its 96 outputs must be a multiple of 16 and its 144 inputs of 32.", refused.Message, StringComparison.Ordinal);
    }

    private static void AssertClose(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, double most)
    {
        var worst = 0.0;
        for (var i = 0; i < expected.Length; i++)
        {
            worst = Math.Max(worst, Math.Abs(expected[i] - actual[i]));
        }

        Assert.InRange(worst, 0, most);
    }

    /// <summary>Standard deviation of a sum of losses under the rounding of the language model's matrices, to the first order.</summary>
    private static double Deviation(ReadOnlySpan<float> gradients, TuningRecipe full)
    {
        using var model = TuningModel.Open(TuningData.Model, full, null);
        using var room = new WeightRoom(ScalarType.Float32, 1);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        gradients.CopyTo(model.Parameters.Gradients.Span);
        var variance = 0.0;
        foreach (var (name, value) in model.Groups().SelectMany(group => group.Parameters).Where(trained => IsPacked(trained.Name, trained.Value)))
        {
            var largest = value.view(value.shape[0], -1, 32).abs().amax([2], keepdim: true).expand(value.shape[0], -1, 32).reshape(value.shape); // of the group of each
            var scales = largest.Times(1.0 / 127);
            using var held = new PackedWeight(value, room);
            Assert.True((held.Unpack() - value).abs().le(largest.Times(Rounding)).all().item<bool>(), name);
            variance += value.grad!.mul(scales).pow(2).sum().item<float>() / 12;
        }

        return Math.Sqrt(variance);
    }

    private static bool IsPacked(string name, Tensor value) => value.dim() == 2 && (name == "lm_head.weight" || name.StartsWith("language_model.layers.", StringComparison.Ordinal));

    /// <summary>The fixture with the numbers that its matrices stand for in 8 bits.</summary>
    private string RoundedCopy()
    {
        var folder = Path.Combine(_data.Folder, "rounded");
        using var checkpoint = CheckpointReader.Open(TuningData.Model);
        using var room = new WeightRoom(ScalarType.Float32, 1);
        ModelFolderWriter.Write(
            folder,
            checkpoint.Config,
            planned =>
            {
                var stored = checkpoint.Take(planned.Name, [.. planned.Shape]);
                if (planned.Shape.Count != 2 || planned.Name.Contains("embed", StringComparison.Ordinal) || planned.Name.StartsWith("multi_modal_projector", StringComparison.Ordinal))
                {
                    return stored;
                }

                using var packed = new PackedWeight(stored, room);
                stored.Dispose();
                using var numbers = packed.Unpack();
                return numbers.clone();
            },
            File.ReadAllBytes(Path.Combine(TuningData.Model, "tokenizer.model")),
            ScalarType.Float32,
            "bare",
            pad: false,
            like: TuningData.Model);
        return folder;
    }
}
