using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels.Products;

namespace LlavaCluster.Model.Kernels.Encoding;

/// <summary>What a block of the tower needs for one tile between its loops.</summary>
internal sealed unsafe class EncoderBuffers : IDisposable
{
    private readonly NativeBuffer<float> _queries, _keys, _values;
    private readonly NativeBuffer<byte> _normed, _attended, _inner;
    private readonly NativeBuffer<float>[] _scratch;

    /// <param name="rows">Of a tile.</param>
    /// <param name="format">Of the matrices: rows that are multiplied with them lie as their kernels want.</param>
    /// <param name="scratch">Floats that one thread takes at most.</param>
    public EncoderBuffers(int rows, VisionConfig vision, WeightFormat format, int threads, long scratch)
    {
        var floats = (long)rows * vision.Hidden;
        (_queries, _keys, _values) = (new(floats), new(floats), new(floats));
        (_normed, _attended, _inner) = (new(Bytes(vision.Hidden)), new(Bytes(vision.Hidden)), new(Bytes(vision.Intermediate)));
        _scratch = [.. Enumerable.Range(0, threads).Select(_ => new NativeBuffer<float>(scratch))];

        long Bytes(int inputs) => (long)rows * ProductKernel.For(format, inputs).RowBytes;
    }

    /// <summary>[rows, hidden], as keys and values.</summary>
    public float* Queries => _queries.Pointer;

    public float* Keys => _keys.Pointer;

    public float* Values => _values.Pointer;

    public byte* Normed => _normed.Pointer;

    public byte* Attended => _attended.Pointer;

    /// <summary>Between the two products of an MLP.</summary>
    public byte* Inner => _inner.Pointer;

    public float* Scratch(int thread) => _scratch[thread].Pointer;

    public void Dispose()
    {
        foreach (var buffer in (IDisposable[])[_queries, _keys, _values, _normed, _attended, _inner, .. _scratch])
        {
            buffer.Dispose();
        }
    }
}
