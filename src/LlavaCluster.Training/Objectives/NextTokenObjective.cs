using LlavaCluster.Model;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Language;
using LlavaCluster.Model.Layers;
using LlavaCluster.Training.Data;
using LlavaCluster.Training.Precision;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Objectives;

/// <summary>
/// LLaVA's loss: cross entropy of the learned tokens given all before them, pictures included (Visual Instruction Tuning, section 4.2). Logits are computed only where
/// a token is learned.
/// </summary>
public sealed class NextTokenObjective : IObjective<TokenBatch>
{
    private readonly bool _autocast;

    /// <param name="autocast">Whether products run in bfloat16.</param>
    public NextTokenObjective(LlavaConfig config, IWeightSource weights, bool autocast)
    {
        Network = new LlavaNetwork(config, weights, ScalarType.Float32, CPU);
        _autocast = autocast;
        Parameters = [.. Network.named_parameters().Select(entry => (entry.name, entry.parameter))];
    }

    public LlavaNetwork Network { get; }

    public IReadOnlyList<(string Name, Parameter Value)> Parameters { get; }

    public long Terms(TokenBatch batch) => batch.LossTargets.Length;

    public Tensor Loss(TokenBatch batch)
    {
        Tensor logits;
        using (Autocast.BFloat16(_autocast))
        {
            var positions = arange(batch.Length, dtype: ScalarType.Int64).repeat(batch.Rows);
            var hidden = Network.Forward(Embed(batch), positions, new DenseAttention(batch.Rows, batch.Length));
            logits = Network.Logits(hidden.index_select(0, tensor(batch.LossPlaces)));
        }

        return nn.functional.cross_entropy(logits, tensor(batch.LossTargets), reduction: nn.Reduction.Sum);
    }

    public void Dispose() => Network.Dispose();

    private Tensor Embed(TokenBatch batch)
    {
        var words = Network.Embed(tensor(batch.Ids)); // [rows * length, hidden]
        if (batch.Pictures == 0)
        {
            return words;
        }

        var side = Network.Config.Vision.ImageSize;
        var features = Network.EncodeTiles(tensor(batch.Pixels, [batch.Pictures, 3, side, side])); // [pictures, features, hidden]
        return words.index_copy(0, tensor(batch.FeaturePlaces), features.flatten(0, 1).to(words.dtype));
    }
}
