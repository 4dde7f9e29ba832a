using LlavaCluster.Model;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Layers;
using LlavaCluster.Training.Data;
using LlavaCluster.Training.Precision;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Objectives;

/// <summary>
/// Teaches a vision tower from nothing what the boxes say of every patch, on the very hidden state that LLaVA will take: a linear head tells the class that covers the
/// patch, where and how large the covering object is, and how much of the object's middle the patch holds. Classes alone leave nothing of position in the features, nor of
/// where one object ends and its like begins, and then no language model can count or compare. A small tower learns from few pictures so; the head is thrown away.
/// Only the tower's and the head's parameters are listed.
/// </summary>
public sealed class PatchObjective : IObjective<PatchBatch>
{
    private const string Head = "dense_head";

    // Of squared distances in shares of the side: a tenth of the side off costs what a coarse class does; of two objects' sizes half as much decides which is the larger.
    private static readonly float[] PlaceWeights = [20, 20, 60]; // x, y, size

    private readonly LlavaNetwork _network;
    private readonly Projection _head;
    private readonly int _classes;
    private readonly bool _autocast;

    /// <param name="config">Of the model whose tower it is.</param>
    /// <param name="weights">Start the tower and the head.</param>
    /// <param name="classes">Background included.</param>
    /// <param name="autocast">Whether products run in bfloat16.</param>
    public PatchObjective(LlavaConfig config, IWeightSource weights, int classes, bool autocast)
    {
        _network = new LlavaNetwork(config, weights, ScalarType.Float32, CPU);
        _head = new Projection(WeightScope.Root(weights).Child(Head), config.Vision.Hidden, classes + PatchTargets.Numbers + 1, bias: true);
        _classes = classes;
        _autocast = autocast;
        Parameters =
        [
            .. _network.named_parameters().Where(entry => entry.name.StartsWith("vision_tower.", StringComparison.Ordinal)).Select(entry => (entry.name, (Tensor)entry.parameter)),
            .. _head.named_parameters().Select(entry => ($"{Head}.{entry.name}", (Tensor)entry.parameter)),
        ];
    }

    public IReadOnlyList<(string Name, Tensor Value)> Parameters { get; }

    public long Terms(PatchBatch batch) => batch.Patches.Length;

    /// <summary>Cross entropy of the classes, weighted squared distance of the places of covered patches, and binary cross entropy of the middles.</summary>
    public Tensor Loss(PatchBatch batch)
    {
        var targets = new PatchTargets(batch);
        var told = Tell(batch);
        var classes = nn.functional.cross_entropy(told.narrow(1, 0, _classes), targets.Labels, reduction: nn.Reduction.Sum);
        var distances = nn.functional.mse_loss(told.narrow(1, _classes, PatchTargets.Numbers), targets.Places, nn.Reduction.None); // [patches, 3]
        var places = distances.mul(targets.Covered).mul(tensor(PlaceWeights)).sum();
        var middles = nn.functional.binary_cross_entropy_with_logits(told.narrow(1, _classes + PatchTargets.Numbers, 1), targets.Middles, reduction: nn.Reduction.Sum);
        return classes.Plus(places).Plus(middles);
    }

    public void Dispose()
    {
        _network.Dispose();
        _head.Dispose();
    }

    // [patches, classes + 4]
    private Tensor Tell(PatchBatch batch)
    {
        var side = _network.Config.Vision.ImageSize;
        using var autocast = Autocast.BFloat16(_autocast);
        var features = _network.VisionFeatures(tensor(batch.Pixels, [batch.Pictures, 3, side, side])); // [pictures, patches, hidden]
        return _head.Forward(features, null).flatten(0, 1).to(ScalarType.Float32);
    }
}
