using BenchmarkDotNet.Attributes;
using LlavaCluster.Model.Kernels;
using LlavaCluster.Model.Kernels.Attention;

namespace LlavaCluster.Benchmarks;

/// <summary>Four query heads of 128 dimensions that share a key head, over blocks that lie scattered: what attention of one sequence and key head costs, one thread.</summary>
public unsafe class AttentionBenchmarks
{
    private const int HeadDim = 128, Queries = 4, BlockSize = AttentionKernel<Float32Element, float>.BlockSize, Stride = HeadDim * BlockSize;

    private const int MostContext = 4096;

    private readonly AttentionKernel<Float32Element, float> _kernel = new(HeadDim, Stride, MostContext);
    private readonly AttentionKernel<BFloat16Element, ushort> _halfKernel = new(HeadDim, Stride, MostContext);
    private readonly NativeBuffer<float> _queries = new(Queries * HeadDim), _output = new(Queries * HeadDim);
    private NativeBuffer<float> _scratch = null!, _keys = null!, _values = null!;
    private NativeBuffer<ushort> _halfKeys = null!, _halfValues = null!;
    private long[] _blocks = null!;
    private nint[] _addresses = null!;
    private int[] _contexts = null!;

    [Params(64, 640, MostContext)]
    public int Context { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var blocks = (Context + BlockSize - 1) / BlockSize;
        var random = new Random(1);
        (_keys, _values) = (new((long)blocks * Stride), new((long)blocks * Stride));
        (_halfKeys, _halfValues) = (new(_keys.Count), new(_keys.Count));
        _scratch = new(AttentionKernel<Float32Element, float>.ScratchFloats(HeadDim, MostContext));
        foreach (var buffer in new[] { _queries, _keys, _values })
        {
            for (var i = 0L; i < buffer.Count; i++)
            {
                buffer.Pointer[i] = (random.NextSingle() - 0.5f) / HeadDim;
            }
        }

        RowKernels.Store<BFloat16Element, ushort>(_keys.Pointer, _halfKeys.Pointer, (int)_keys.Count);
        RowKernels.Store<BFloat16Element, ushort>(_values.Pointer, _halfValues.Pointer, (int)_values.Count);
        _blocks = [.. Enumerable.Range(0, blocks).Select(block => (long)block)];
        random.Shuffle(_blocks);
        _addresses = [.. Enumerable.Range(0, Queries).Select(query => (nint)(_queries.Pointer + (query * HeadDim)))];
        _contexts = [.. Enumerable.Repeat(Context, Queries)];
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        foreach (var owned in (IDisposable[])[_keys, _values, _halfKeys, _halfValues, _scratch])
        {
            owned.Dispose();
        }
    }

    [Benchmark(Baseline = true)]
    public void Float32() => _kernel.Attend(_addresses, _contexts, _keys.Pointer, _values.Pointer, _blocks, _scratch.Pointer, _output.Pointer);

    [Benchmark]
    public void BFloat16() => _halfKernel.Attend(_addresses, _contexts, _halfKeys.Pointer, _halfValues.Pointer, _blocks, _scratch.Pointer, _output.Pointer);
}
