using BenchmarkDotNet.Attributes;
using LlavaCluster.Model.Kernels.Decoding;

namespace LlavaCluster.Benchmarks;

/// <summary>What happens to one row between products, at the widths of LLaVA-1.5-7B, one thread.</summary>
public unsafe class RowBenchmarks
{
    private const int Hidden = 4096, Inner = 11_008, HeadDim = 128;

    private readonly NativeBuffer<float> _x = Filled(Inner), _y = Filled(Inner), _weight = Filled(Hidden), _angles = Filled(HeadDim);

    [Benchmark]
    public void RmsNorm() => RowKernels.RmsNorm(_x.Pointer, _weight.Pointer, _y.Pointer, Hidden, 1e-5f);

    [Benchmark]
    public void SwiGlu() => RowKernels.SwiGlu(_x.Pointer, _y.Pointer, Inner);

    [Benchmark]
    public void RotateAllHeads()
    {
        for (var head = 0; head < Hidden; head += HeadDim)
        {
            RowKernels.Rotate(_x.Pointer + head, _angles.Pointer, _angles.Pointer + (HeadDim / 2), HeadDim);
        }
    }

    private static NativeBuffer<float> Filled(int count)
    {
        var buffer = new NativeBuffer<float>(count);
        new Span<float>(buffer.Pointer, count).Fill(0.5f);
        return buffer;
    }
}
