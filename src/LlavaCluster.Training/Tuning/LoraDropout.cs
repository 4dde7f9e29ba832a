using LlavaCluster.Model.Layers;
using LlavaCluster.Training.Scenes;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Tuning;

/// <summary>
/// Leaves out a share of what the adapters see. Which numbers follows from seed, step, sample and projection alone: not from the batch a sample is in, the participants of
/// the run or an interruption, and a layer that is computed twice leaves out the same.
/// </summary>
internal sealed class LoraDropout(double share, int seed)
{
    private const string Head = "lm_head";
    private const ulong Purpose = 4;

    private readonly Scalar _share = Scalars.Of(share);

    /// <summary>What an adapter of a projection is given in place of its input [rows, in], in a step's micro-batch.</summary>
    public Tensor Apply(MicroBatch batch, long step, string projection, Tensor input)
    {
        using var scope = NewDisposeScope();
        var name = SceneRandom.For(projection, (ulong)seed, Purpose).NextUInt64();
        var width = input.shape[^1];
        var draws = batch.Tokens.Lengths.Select((length, i) =>
        {
            // What fills up the batch belongs to no sample.
            var sample = i < batch.Samples.Count ? (ulong)batch.Samples[i] : ulong.MaxValue;
            using var generator = new Generator(SceneRandom.For(name, (ulong)step, sample).NextUInt64(), CPU);
            return rand([length, width], ScalarType.Float32, generator: generator);
        }).ToArray();
        var kept = cat(draws, 0).ge(_share).to(ScalarType.Float32); // [tokens, in]
        if (projection == Head)
        {
            kept = kept.index_select(0, tensor(batch.Tokens.LossPlaces)); // the head sees those rows only
        }

        return (input * kept.Times(1 / (1 - share)).to(input.dtype)).MoveToOuterDisposeScope();
    }
}
