using LlavaCluster.Model;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Layers;
using LlavaCluster.Training.Data;
using LlavaCluster.Training.Precision;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Objectives;

/// <summary>
/// Teaches a vision tower from nothing: a linear head names what covers each patch, on the very hidden state that LLaVA will take. Labels come from the boxes'
/// drawing, so a small tower learns from few pictures; the head is thrown away. Only the tower's and the head's parameters are listed.
/// </summary>
public sealed class PatchLabelObjective : IObjective<PatchBatch>
{
    private const string Head = "dense_head";

    private readonly LlavaNetwork _network;
    private readonly Projection _head;
    private readonly int _classes;
    private readonly bool _autocast;

    /// <param name="classes">Background included.</param>
    public PatchLabelObjective(LlavaConfig config, IWeightSource weights, int classes, bool autocast)
    {
        _network = new LlavaNetwork(config, weights, ScalarType.Float32, CPU);
        _head = new Projection(WeightScope.Root(weights).Child(Head), config.Vision.Hidden, classes, bias: true);
        _classes = classes;
        _autocast = autocast;
        Parameters =
        [
            .. _network.named_parameters().Where(entry => entry.name.StartsWith("vision_tower.", StringComparison.Ordinal)).Select(entry => (entry.name, (Tensor)entry.parameter)),
            .. _head.named_parameters().Select(entry => ($"{Head}.{entry.name}", (Tensor)entry.parameter)),
        ];
    }

    public IReadOnlyList<(string Name, Tensor Value)> Parameters { get; }

    public long Terms(PatchBatch batch) => batch.Labels.Length;

    public Tensor Loss(PatchBatch batch) => nn.functional.cross_entropy(Logits(batch), tensor(batch.Labels), reduction: nn.Reduction.Sum);

    /// <summary>Share of the covered patches that are named right, and of the background ones. Run under no_grad.</summary>
    public (double Covered, double Background) Accuracy(PatchBatch batch)
    {
        using var scope = NewDisposeScope();
        var named = Logits(batch).argmax(1).data<long>();
        var (hits, totals) = (new long[2], new long[2]);
        for (var i = 0; i < batch.Labels.Length; i++)
        {
            var covered = batch.Labels[i] == Scenes.Scene.BackgroundLabel ? 0 : 1;
            totals[covered]++;
            hits[covered] += named[i] == batch.Labels[i] ? 1 : 0;
        }

        return (hits[1] / (double)Math.Max(1, totals[1]), hits[0] / (double)Math.Max(1, totals[0]));
    }

    public void Dispose()
    {
        _network.Dispose();
        _head.Dispose();
    }

    private Tensor Logits(PatchBatch batch)
    {
        var side = _network.Config.Vision.ImageSize;
        using var autocast = Autocast.BFloat16(_autocast);
        var features = _network.VisionFeatures(tensor(batch.Pixels, [batch.Pictures, 3, side, side])); // [pictures, patches, hidden]
        return _head.Forward(features, null).view(-1, _classes).to(ScalarType.Float32);
    }
}
