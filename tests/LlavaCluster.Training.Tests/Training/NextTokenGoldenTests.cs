using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Weights;
using LlavaCluster.TestSupport;
using LlavaCluster.Training.Objectives;
using LlavaCluster.Training.Optimisation;
using LlavaCluster.Training.Replicas;
using LlavaCluster.Training.Runs;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Tests.Training;

public sealed class NextTokenGoldenTests : IDisposable
{
    private const double LossTolerance = 1e-4;
    private const int Steps = 3;
    private readonly TrainingGolden _golden = new();
    private readonly Checkpoint _checkpoint = CheckpointReader.Open(TrainingGolden.Folder);
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        _scope.Dispose();
        _checkpoint.Dispose();
    }

    [Theory]
    [InlineData("projector_only")]
    [InlineData("full_lm")]
    [InlineData("lora_only")]
    public void Losses_OverThreeAdamWSteps_EqualTheReference(string setting)
    {
        using var group = Group(setting);
        using var optimiser = Optimiser(group);
        var batch = Batch();
        var losses = new List<double>();
        for (var step = 0; step <= Steps; step++)
        {
            losses.Add(group.Backward([batch]));
            optimiser.Step(1);
        }

        Assert.All(_golden.Losses(setting).Zip(losses), pair => Assert.Equal(pair.First, pair.Second, LossTolerance));
    }

    [Theory]
    [InlineData("projector_only")]
    [InlineData("full_lm")]
    [InlineData("lora_only")]
    public void GradientNorms_OfTheFirstStep_EqualTheReference(string setting)
    {
        using var group = Group(setting);
        group.Backward([Batch()]);

        var norms = group.Trained.ToDictionary(parameter => parameter.Name, parameter => parameter.Value.grad!.norm().item<float>());

        var expected = _golden.GradientNorms(setting).ToDictionary(norm => OurName(norm.Key), norm => norm.Value);
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), norms.Keys.Order(StringComparer.Ordinal));
        Assert.All(expected, norm => Assert.Equal(norm.Value, norms[norm.Key], 1e-5 * Math.Max(1, norm.Value)));
    }

    [Theory]
    [InlineData("projector_only", "grad.")]
    [InlineData("full_lm", "full_lm.grad.")]
    public void Gradients_OfTheFirstStep_EqualTheReferenceElementwise(string setting, string prefix)
    {
        using var group = Group(setting);
        group.Backward([Batch()]);
        using var file = TrainingGolden.OpenTensors();
        var stored = file.Tensors.Keys.Where(name => name.StartsWith(prefix, StringComparison.Ordinal)).ToList();

        Assert.NotEmpty(stored);
        Assert.All(stored, name =>
        {
            var gradient = group.Trained.Single(parameter => parameter.Name == OurName(name[prefix.Length..])).Value.grad!;
            Assert.True((gradient - file.View(name)).abs().max().item<float>() < 1e-5, name);
        });
    }

    [Theory]
    [InlineData("projector_only")]
    [InlineData("full_lm")]
    [InlineData("lora_only")]
    public void Step_OfAnyStage_LeavesFrozenParametersBitEqual(string setting)
    {
        using var group = Group(setting);
        using var optimiser = Optimiser(group);
        var trained = group.Trained.Select(parameter => parameter.Name).ToHashSet();
        var before = group.First.Parameters.ToDictionary(parameter => parameter.Name, parameter => parameter.Value.detach().clone());

        group.Backward([Batch()]);
        optimiser.Step(1);

        var changed = group.First.Parameters.Where(parameter => !parameter.Value.eq(before[parameter.Name]).all().item<bool>()).Select(parameter => parameter.Name).ToHashSet();
        Assert.Equal(trained.Order(StringComparer.Ordinal), changed.Order(StringComparer.Ordinal));
        Assert.True(before.Count > trained.Count);
    }

    // The fixture's names are those of PyTorch's modules and PEFT's; ours are canonical.
    private static string OurName(string name)
    {
        if (name.Contains("lora_", StringComparison.Ordinal))
        {
            var module = name.Replace("base_model.model.", "", StringComparison.Ordinal).Replace("language_model.model.", "language_model.", StringComparison.Ordinal)
                .Replace("model.language_model.", "language_model.", StringComparison.Ordinal).Replace(".default", "", StringComparison.Ordinal);
            return $"adapter.{module.Replace(".weight", "", StringComparison.Ordinal)}";
        }

        return name.Replace("language_model.lm_head", "lm_head", StringComparison.Ordinal).Replace("language_model.model.", "language_model.", StringComparison.Ordinal);
    }

    private static bool Trains(string setting, string name) => setting switch
    {
        "projector_only" => name.StartsWith("multi_modal_projector.", StringComparison.Ordinal),
        "lora_only" => name.StartsWith("adapter.", StringComparison.Ordinal),
        _ => !name.StartsWith("vision_tower.", StringComparison.Ordinal),
    };

    private static FusedAdamW Optimiser(ReplicaGroup<Data.TokenBatch> group) => new([new ParameterGroup(group.Trained, 1e-3, 0)], new AdamWOptions());

    private ReplicaGroup<Data.TokenBatch> Group(string setting) =>
        new(weights => new NextTokenObjective(_checkpoint.Config, weights, autocast: false, adapter: setting == "lora_only" ? Adapter() : null), new CheckpointCopies(_checkpoint), 1, name => Trains(setting, name));

    private Data.TokenBatch Batch() => _golden.Batch(_checkpoint.Config.ImageTokenId, _checkpoint.Config.TokensPerTile);

    private LoraAdapter Adapter()
    {
        using var weights = LoraAdapterReader.Read(Goldens.Path("a_llava15", "adapter"), _checkpoint.Config);
        return new LoraAdapter(weights, ScalarType.Float32, CPU);
    }
}
