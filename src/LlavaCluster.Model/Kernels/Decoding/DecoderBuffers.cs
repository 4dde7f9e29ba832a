using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels.Products;

namespace LlavaCluster.Model.Kernels.Decoding;

/// <summary>What a step needs between its loops, for the largest batch; memory that a smaller batch does not touch is not resident.</summary>
internal sealed unsafe class DecoderBuffers : IDisposable
{
    private readonly NativeBuffer<float> _hidden, _queries, _keys, _values;
    private readonly NativeBuffer<byte> _normed, _attended, _inner, _sampled;
    private readonly NativeBuffer<float>[] _scratch;
    private readonly int _mostTokens;

    /// <param name="format">Of the matrices: rows that are multiplied with them lie as their kernels want.</param>
    /// <param name="scratch">Floats that one thread takes at most.</param>
    public DecoderBuffers(TextConfig text, WeightFormat format, int mostTokens, int threads, long scratch)
    {
        long tokens = _mostTokens = mostTokens;
        _hidden = new(tokens * text.Hidden);
        _queries = new(tokens * text.Heads * text.HeadDim);
        _keys = new(tokens * text.KvHeads * text.HeadDim);
        _values = new(tokens * text.KvHeads * text.HeadDim);
        _normed = new(tokens * RowBytes(text.Hidden));
        _attended = new(tokens * RowBytes(text.Heads * text.HeadDim));
        _inner = new(tokens * RowBytes(text.Intermediate));
        _sampled = new(tokens * RowBytes(text.Hidden));
        _scratch = [.. Enumerable.Range(0, threads).Select(_ => new NativeBuffer<float>(scratch))];

        int RowBytes(int inputs) => ProductKernel.For(format, inputs).RowBytes;
    }

    /// <summary>The residual stream, [tokens, hidden].</summary>
    public float* Hidden => _hidden.Pointer;

    public float* Queries => _queries.Pointer;

    public float* Keys => _keys.Pointer;

    public float* Values => _values.Pointer;

    public byte* Normed => _normed.Pointer;

    public byte* Attended => _attended.Pointer;

    /// <summary>silu(gate) * up, [tokens, intermediate].</summary>
    public byte* Inner => _inner.Pointer;

    /// <summary>Normed rows whose logits are asked for.</summary>
    public byte* Sampled => _sampled.Pointer;

    /// <param name="floats">How many of them are used.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are fewer.</exception>
    public float* Scratch(int thread, long floats)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(floats, _scratch[thread].Count);
        return _scratch[thread].Pointer;
    }

    /// <exception cref="ArgumentOutOfRangeException">The batch is larger than the buffers.</exception>
    public void Require(int tokens) => ArgumentOutOfRangeException.ThrowIfGreaterThan(tokens, _mostTokens);

    public void Dispose()
    {
        foreach (var buffer in (IDisposable[])[_hidden, _queries, _keys, _values, _normed, _attended, _inner, _sampled, .. _scratch])
        {
            buffer.Dispose();
        }
    }
}
