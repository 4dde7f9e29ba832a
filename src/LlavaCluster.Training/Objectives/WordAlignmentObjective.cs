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
/// feature is drawn to the embeddings of what the boxes say of it, added up: the name of what covers it, the words for the ninth in which that object lies, a point on the line
/// from "left" to "right" for its centre, likewise for its height and size, and a word where the object has its middle. The words of the ninth are those of the answers, so that
/// a reader who found the name has only to repeat them; one word is said of every patch, so that a reader who looks for a name tells it from that name in the text; the lines tell which of two is further left. Captions alone say all that only through the whole language model, which takes far more pictures.
/// </summary>
public sealed class WordAlignmentObjective : IObjective<PatchBatch>
{
    private const double Sharpness = 12;
    private const double MiddlePlace = 0.5, MiddleSize = 0.35, SizeRange = 0.3; // what lies halfway between two words; sizes of 0.2 to 0.5 use the whole line
    private const double LineStrength = 1.5; // an object's middle lies within 0.2 to 0.8: its place is then about as long as its name

    private readonly LlavaNetwork _network;
    private readonly Tensor _names; // [labels, hidden]
    private readonly Tensor _lines; // [3, hidden]: right - left, bottom - top, largest - smallest
    private readonly Tensor _halfway; // [3]
    private readonly Tensor _middle; // [1, hidden]
    private readonly Tensor _every; // [1, hidden]
    private readonly Tensor _ninths; // [5, hidden], as PatchTargets orders them
    private readonly Tensor _directions; // [hidden, labels]: a feature that is a word scores Sharpness for it
    private readonly Scalar _unit;
    private readonly bool _autocast;

    /// <param name="config">Of the model whose projector learns.</param>
    /// <param name="weights">Start the network; its word embeddings are the targets and stay as they are.</param>
    /// <param name="words">What to draw features to.</param>
    /// <param name="autocast">Whether products run in bfloat16.</param>
    public WordAlignmentObjective(LlavaConfig config, IWeightSource weights, PatchWords words, bool autocast)
    {
        _network = new LlavaNetwork(config, weights, ScalarType.Float32, CPU);
        _autocast = autocast;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        _names = stack(words.Names.Select(Word).ToList()).DetachFromDisposeScope();
        _lines = stack([Word(words.Right).sub(Word(words.Left)).Times(LineStrength), Word(words.Bottom).sub(Word(words.Top)).Times(LineStrength), Word(words.Largest).sub(Word(words.Smallest)).Times(1 / SizeRange)]).DetachFromDisposeScope();
        _halfway = tensor(new[] { (float)MiddlePlace, (float)MiddlePlace, (float)MiddleSize }).DetachFromDisposeScope();
        _middle = Word(words.Middle).unsqueeze(0).DetachFromDisposeScope();
        _every = Word(words.Every).unsqueeze(0).DetachFromDisposeScope();
        _ninths = stack([Word(words.Left), Word(words.Right), Word(words.Top), Word(words.Bottom), Word(words.Centre)]).DetachFromDisposeScope();
        _directions = (_names / _names.pow(Scalars.Of(2)).sum(1, keepdim: true)).t().contiguous().Times(Sharpness).DetachFromDisposeScope();
        _unit = Scalars.Of(1 / _names.pow(Scalars.Of(2)).mean().item<float>());
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

        var targets = new PatchTargets(batch);
        var distance = nn.functional.mse_loss(features, Words(targets), reduction: nn.Reduction.None).mean([1]).sum().mul(_unit);
        return nn.functional.cross_entropy(features.matmul(_directions), targets.Labels, reduction: nn.Reduction.Sum).Plus(distance);
    }

    public void Dispose()
    {
        _network.Dispose();
        _names.Dispose();
        _lines.Dispose();
        _halfway.Dispose();
        _middle.Dispose();
        _ninths.Dispose();
        _every.Dispose();
        _directions.Dispose();
    }

    // [hidden]
    private Tensor Word(IReadOnlyList<int> ids) => _network.Embed(tensor(ids.Select(id => (long)id).ToArray())).mean([0]);

    // [patches, hidden]
    private Tensor Words(PatchTargets targets)
    {
        var places = targets.Places.sub(_halfway).mul(targets.Covered).matmul(_lines);
        return _names.index_select(0, targets.Labels).Plus(places).Plus(targets.Ninths.matmul(_ninths)).Plus(targets.Middles.matmul(_middle)).Plus(_every);
    }
}
