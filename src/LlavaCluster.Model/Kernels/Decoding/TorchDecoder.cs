using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Kernels.Decoding;

/// <summary>The language model with libtorch's operators: on a GPU, for shapes our kernels do not take, and the reference they are compared with.</summary>
internal sealed class TorchDecoder(LlavaNetwork network, KvCache cache) : IPagedDecoder
{
    public long WeightBytes => network.named_parameters()
        .Where(entry => entry.name.StartsWith("language_model.layers.", StringComparison.Ordinal) || entry.name == (network.Config.Text.TieWordEmbeddings ? "language_model.embed_tokens.weight" : "lm_head.weight"))
        .Sum(entry => entry.parameter.numel() * entry.parameter.element_size());

    public void Decode(DecoderStep step, Span<float> logits)
    {
        using var mode = inference_mode();
        using var scope = NewDisposeScope();
        var device = network.Device;
        var embeddings = network.Embed(HostTensor(step.Ids, device)); // [tokens, hidden]
        foreach (var part in step.Features)
        {
            embeddings.narrow(0, part.Row, part.Count).copy_(part.Features.narrow(0, part.First, part.Count));
        }

        var hidden = network.Forward(embeddings, HostTensor(step.Batch.Positions, device), new PagedAttention(cache, step.Batch, device)); // [tokens, hidden]
        if (step.Sampled.Count > 0)
        {
            var scores = network.Logits(hidden.index_select(0, HostTensor(step.Sampled, device))).cpu().contiguous(); // [sampled, vocab]
            MemoryMarshal.Cast<byte, float>(scores.bytes).CopyTo(logits);
        }
    }

    public void Dispose()
    {
        // The network and the cache belong to others.
    }

    private static Tensor HostTensor(List<long> values, Device device) => tensor(CollectionsMarshal.AsSpan(values).ToArray(), device: device);
}
