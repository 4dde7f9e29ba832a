using BenchmarkDotNet.Attributes;
using LlavaCluster.Model.Kernels;
using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Kernels.Threading;
using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Benchmarks;

/// <summary>Rows times a matrix of 8192 x 2048, one thread: this processor's kernel, the portable one, and libtorch on the unpacked matrix.</summary>
public unsafe class ProductBenchmarks
{
    private const int Inputs = 2048, Outputs = 8192;

    private IProductKernel _kernel = null!, _portable = null!;
    private NativeBuffer<byte> _weights = null!, _rows = null!;
    private NativeBuffer<float> _results = null!;
    private Tensor _matrix = null!, _batch = null!;

    [Params("Float32", "BFloat16", "Q8", "Q4")]
    public string Format { get; set; } = "";

    [Params(1, 4, 16, 64)]
    public int Rows { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        set_num_threads(1);
        var format = Enum.Parse<WeightFormat>(Format);
        var isInteger = format is WeightFormat.Q8 or WeightFormat.Q4;
        (_kernel, _portable) = (ProductKernel.For(format, Inputs), ProductKernel.Portable(format, Inputs));
        using (var wide = randn(Outputs, Inputs))
        {
            _matrix = wide.to(format == WeightFormat.Float32 ? ScalarType.Float32 : ScalarType.BFloat16, copy: true);
        }

        _batch = randn(Rows, Inputs, _matrix.dtype);
        _weights = new NativeBuffer<byte>((long)Outputs * _kernel.OutputBytes);
        if (isInteger)
        {
            using var team = new KernelTeam(1);
            MatrixPacking.Pack(_matrix, format, _weights.Pointer, team);
        }
        else
        {
            Buffer.MemoryCopy(TensorMemory.Address(_matrix), _weights.Pointer, _weights.Count, _weights.Count);
        }

        _rows = new NativeBuffer<byte>((long)Rows * _kernel.RowBytes);
        _results = new NativeBuffer<float>((long)Rows * Outputs);
        using var values = _batch.to(ScalarType.Float32);
        for (var row = 0; row < Rows; row++)
        {
            _kernel.Store((float*)TensorMemory.Address(values) + (row * Inputs), _rows.Pointer + ((nint)row * _kernel.RowBytes), 0, Inputs);
        }
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        foreach (var owned in (IDisposable[])[_weights, _rows, _results, _matrix, _batch])
        {
            owned.Dispose();
        }
    }

    [Benchmark]
    public void Kernel() => _kernel.Multiply(_rows.Pointer, Rows, _weights.Pointer, Outputs, _results.Pointer, Outputs, add: false);

    [Benchmark]
    public void Portable() => _portable.Multiply(_rows.Pointer, Rows, _weights.Pointer, Outputs, _results.Pointer, Outputs, add: false);

    [Benchmark(Baseline = true)]
    public void Libtorch() => nn.functional.linear(_batch, _matrix).Dispose();
}
