using LlavaCluster.Model;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Layers;
using LlavaCluster.Training.Data;
using LlavaCluster.Training.Precision;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Objectives;

/// <summary>
/// Stage 1's aim taken at its word ("the image features can be aligned with the pre-trained LLM word embedding", Visual Instruction Tuning, section 4.2): each patch's projected
/// feature is drawn to the embedding of the name of what covers it. Captions alone say that only through the whole language model, which takes far more pictures.
/// </summary>
public sealed class WordAlignmentObjective : IObjective<PatchBatch>
{
    private const double Sharpness = 12;

    private readonly LlavaNetwork _network;
    private readonly Tensor _targets; // [labels, hidden]
    private readonly Tensor _directions; // [hidden, labels]: a feature that is a word scores Sharpness for it
    private readonly Scalar _unit;
    private readonly bool _autocast;

    /// <param name="names">Token ids of each label's name, the background's first; a name of several tokens stands at their mean.</param>
    /// <param name="autocast">Whether products run in bfloat16.</param>
    public WordAlignmentObjective(LlavaConfig config, IWeightSource weights, IReadOnlyList<IReadOnlyList<int>> names, bool autocast)
    {
        _network = new LlavaNetwork(config, weights, ScalarType.Float32, CPU);
        _autocast = autocast;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        _targets = stack(names.Select(ids => _network.Embed(tensor(ids.Select(id => (long)id).ToArray())).mean([0])).ToList()).DetachFromDisposeScope();
        _directions = (_targets / _targets.pow(Scalars.Of(2)).sum(1, keepdim: true)).t().contiguous().Times(Sharpness).DetachFromDisposeScope();
        _unit = Scalars.Of(1 / _targets.pow(Scalars.Of(2)).mean().item<float>());
        Parameters = [.. _network.named_parameters().Select(entry => (entry.name, (Tensor)entry.parameter))];
    }

    public IReadOnlyList<(string Name, Tensor Value)> Parameters { get; }

    public long Terms(PatchBatch batch) => batch.Labels.Length;

    /// <summary>
    /// Which word a feature points at (cross entropy), and how far it is from that word: squared distance in units of the words' own mean square. The first is what learns
    /// fast; the second brings features to the words' length.
    /// </summary>
    public Tensor Loss(PatchBatch batch)
    {
        var side = _network.Config.Vision.ImageSize;
        Tensor features;
        using (Autocast.BFloat16(_autocast))
        {
            features = _network.EncodeTiles(tensor(batch.Pixels, [batch.Pictures, 3, side, side])).flatten(0, 1).to(ScalarType.Float32); // [pictures * patches, hidden]
        }

        var labels = tensor(batch.Labels);
        var distance = nn.functional.mse_loss(features, _targets.index_select(0, labels), reduction: nn.Reduction.None).mean([1]).sum().mul(_unit);
        return nn.functional.cross_entropy(features.matmul(_directions), labels, reduction: nn.Reduction.Sum).Plus(distance);
    }

    public void Dispose()
    {
        _network.Dispose();
        _targets.Dispose();
        _directions.Dispose();
    }
}
