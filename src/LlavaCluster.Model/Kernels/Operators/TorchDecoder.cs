using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Kernels.Operators;

/// <summary>
/// The language model with libtorch's operators: on a GPU, for shapes our kernels do not take, and the reference they are compared with. The same code on every device: whole numbers go up
/// in one copy, operators are only told of, and one copy down ends the step, with the indexes of highest logits and those rows of logits that somebody wants whole. A step that nobody
/// samples from ends with one number, so that faults and times are the step's own.
/// </summary>
internal sealed class TorchDecoder : IPagedDecoder
{
    private readonly LlavaNetwork _network;
    private readonly KvCache _cache;
    private readonly AttentionPlan _plan;
    private readonly DeviceConstants _constants;
    private readonly TokenPicker _picker;
    private readonly List<long> _numbers = [];

    /// <summary>As <see cref="PagedDecoder.For"/>.</summary>
    public TorchDecoder(LlavaNetwork network, KvCache cache, TokenBans bans)
    {
        (_network, _cache, Link) = (network, cache, new DeviceLink(network.Device));
        var text = network.Config.Text;
        var blocks = (text.MaxPositions + cache.BlockSize - 1) / cache.BlockSize;
        _plan = new AttentionPlan(text, cache.BlockSize, network.Dtype == ScalarType.Float32 ? sizeof(float) : sizeof(short));
        _constants = new DeviceConstants(AttentionPlan.Bucket(blocks) * cache.BlockSize, network.Dtype, network.Device);
        _picker = new TokenPicker(bans, network.Device);
    }

    public long WeightBytes => _network.named_parameters()
        .Where(entry => entry.name.StartsWith("language_model.layers.", StringComparison.Ordinal) || entry.name == (_network.Config.Text.TieWordEmbeddings ? "language_model.embed_tokens.weight" : "lm_head.weight"))
        .Sum(entry => entry.parameter.numel() * entry.parameter.element_size());

    public bool Picks => true;

    internal DeviceLink Link { get; }

    public bool AdaptsAnywhere => false; // libtorch is its device's thread's

    public IDecoderAdapter Adapt(LoraWeights weights) => new LoraAdapter(weights, _network.Dtype, _network.Device, name => !LoraWeights.IsOfFeatures(name));

    public void Decode(DecoderStep step, Span<float> logits, Span<int> picks = default)
    {
        using var mode = inference_mode();
        using var scope = NewDisposeScope();
        var hidden = Forward(step, out var inputs); // [tokens, hidden]
        var (sampled, picked) = (step.Sampled.Count, step.Picked.Count);
        var results = sampled + picked == 0 ? hidden.narrow(0, 0, 1).narrow(1, 0, 1).flatten().to(ScalarType.Float32) : Score(step, hidden, inputs);

        var values = Link.Download(results);
        var scores = sampled == 0 ? 0 : values.Length - picked;
        values[..scores].CopyTo(logits);
        for (var i = 0; i < picked; i++)
        {
            picks[i] = (int)values[scores + i];
        }
    }

    public void Dispose()
    {
        Link.Dispose();
        _constants.Dispose();
        _picker.Dispose();
    }

    private Tensor Forward(DecoderStep step, out StepInputs inputs)
    {
        Check(step);
        _plan.Of(step.Batch);
        inputs = StepInputs.Upload(step, _plan, _numbers, Link);
        var embeddings = _network.Embed(inputs.Ids); // [tokens, hidden]
        foreach (var part in step.Features)
        {
            embeddings.narrow(0, part.Row, part.Count).copy_(part.Features.narrow(0, part.First, part.Count));
        }

        var text = _network.Config.Text;
        return _network.Forward(embeddings, inputs.Positions, new PagedAttention(_cache, _plan, inputs, _constants, text.Heads / text.KvHeads), inputs.Adapters);
    }

    // What lies outside a table would cost a GPU its whole context, and everybody's requests with it.
    private void Check(DecoderStep step)
    {
        var text = _network.Config.Text;
        foreach (var id in step.Ids)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(id);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(id, text.VocabSize);
        }

        foreach (var position in step.Batch.Positions)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(position, text.MaxPositions);
        }

        foreach (var block in step.Batch.Blocks)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(block);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(block, _cache.Blocks);
        }
    }

    // Logits of the sampled rows, row by row, then the picks: one axis.
    private Tensor Score(DecoderStep step, Tensor hidden, StepInputs inputs)
    {
        var (sampled, picked) = (step.Sampled.Count, step.Picked.Count);
        var scores = _network.Logits(hidden.index_select(0, inputs.Scored), inputs.ScoredAdapters); // [sampled + picked, vocab]
        if (picked == 0)
        {
            return scores.flatten();
        }

        var picks = _picker.Pick(scores.narrow(0, sampled, picked), step.Picked.Exists(row => row.SkipsEnds) ? inputs.SkipsEnds : null);
        return sampled == 0 ? picks : cat([scores.narrow(0, 0, sampled).flatten(), picks], 0);
    }
}
