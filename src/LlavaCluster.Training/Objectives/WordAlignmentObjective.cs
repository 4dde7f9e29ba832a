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
/// feature is drawn to the embeddings of what the boxes say of it, added up (<see cref="PatchWords"/>). Captions alone say all that only through the whole language model, which
/// takes far more pictures.
/// </summary>
public sealed class WordAlignmentObjective : IObjective<PatchBatch>
{
    private const double Sharpness = 12;

    private readonly LlavaNetwork _network;
    private readonly PatchWords _words;
    private readonly Tensor _embeddings; // [words, hidden]
    private readonly Tensor _directions; // [hidden, labels]: a feature that is a name scores Sharpness for it
    private readonly Scalar _unit;
    private readonly bool _autocast;

    /// <param name="config">Of the model whose projector learns.</param>
    /// <param name="weights">Start the network; its word embeddings are the targets and stay as they are.</param>
    /// <param name="words">What to draw features to.</param>
    /// <param name="autocast">Whether products run in bfloat16.</param>
    public WordAlignmentObjective(LlavaConfig config, IWeightSource weights, PatchWords words, bool autocast)
    {
        _network = new LlavaNetwork(config, weights, ScalarType.Float32, CPU);
        _words = words;
        _autocast = autocast;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        _embeddings = words.Embeddings(_network).DetachFromDisposeScope();
        var names = _embeddings.narrow(0, 0, words.Names);
        _directions = (names / names.pow(Scalars.Of(2)).sum(1, keepdim: true)).t().contiguous().Times(Sharpness).DetachFromDisposeScope();
        _unit = Scalars.Of(1 / names.pow(Scalars.Of(2)).mean().item<float>());
        Parameters = [.. _network.named_parameters().Select(entry => (entry.name, (Tensor)entry.parameter))];
    }

    public IReadOnlyList<(string Name, Tensor Value)> Parameters { get; }

    public long Terms(PatchBatch batch) => batch.Patches.Length;

    /// <summary>
    /// Which name a feature points at (cross entropy), and how far it is from its words: squared distance in units of the names' own mean square. The first is what learns
    /// fast; the second brings features to the words' length and tells places.
    /// </summary>
    public Tensor Loss(PatchBatch batch)
    {
        var side = _network.Config.Vision.ImageSize;
        Tensor features;
        using (Autocast.BFloat16(_autocast))
        {
            features = _network.EncodeTiles(tensor(batch.Pixels, [batch.Pictures, 3, side, side])).flatten(0, 1).to(ScalarType.Float32); // [patches, hidden]
        }

        var targets = tensor(_words.Weigh(batch.Patches), [batch.Patches.Length, _words.Count]).matmul(_embeddings); // [patches, hidden]
        var distance = nn.functional.mse_loss(features, targets, reduction: nn.Reduction.None).mean([1]).sum().mul(_unit);
        return nn.functional.cross_entropy(features.matmul(_directions), new PatchTargets(batch).Labels, reduction: nn.Reduction.Sum).Plus(distance);
    }

    public void Dispose()
    {
        _network.Dispose();
        _embeddings.Dispose();
        _directions.Dispose();
    }
}
