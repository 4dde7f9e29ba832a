using BenchmarkDotNet.Attributes;
using LlavaCluster.Model.Kernels;

namespace LlavaCluster.Benchmarks;

/// <summary>What happens to one row between products, at the widths of LLaVA-1.5-7B, one thread.</summary>
public unsafe class RowBenchmarks
{
    private const int Hidden = 4096, Inner = 11_008, HeadDim = 128;

    // A rotation that keeps lengths: numbers that shrink with every turn would soon be denormal, and a hundred times slower.
    private readonly NativeBuffer<float> _x = Filled(Inner, 0.5f), _y = Filled(Inner, 0.5f), _gate = Filled(Inner, 0.5f), _weight = Filled(Hidden, 0.5f), _cosines = Filled(HeadDim / 2, 0.6f), _sines = Filled(HeadDim / 2, 0.8f);

    [Benchmark]
    public void RmsNorm() => RowKernels.RmsNorm(_x.Pointer, _weight.Pointer, _y.Pointer, Hidden, 1e-5f);

    /// <summary>With a copy of the row, which it writes over.</summary>
    [Benchmark]
    public void CopyAndSwiGlu()
    {
        new ReadOnlySpan<float>(_x.Pointer, Inner).CopyTo(new Span<float>(_gate.Pointer, Inner));
        RowKernels.SwiGlu(_gate.Pointer, _y.Pointer, Inner);
    }

    [Benchmark]
    public void RotateAllHeads()
    {
        for (var head = 0; head < Hidden; head += HeadDim)
        {
            RowKernels.Rotate(_x.Pointer + head, _cosines.Pointer, _sines.Pointer, HeadDim);
        }
    }

    private static NativeBuffer<float> Filled(int count, float value)
    {
        var buffer = new NativeBuffer<float>(count);
        new Span<float>(buffer.Pointer, count).Fill(value);
        return buffer;
    }
}
