using System.Runtime.CompilerServices;
using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Kernels.Adapters;

/// <summary>B as 8-bit integers with a scale for every output and 32 ranks, through the kernels of the base's products: half the memory that a step reads. What lies between the two products is rounded as the base's rows are.</summary>
internal sealed unsafe class IntegerExpansion : IExpansion
{
    private const int TileRows = 6; // as the kernel has it
    private const int Group = ProductKernel.InputMultiple;
    private const int MostShort = 64;

    private readonly IProductKernel _kernel;
    private readonly byte* _packed;
    private readonly int _rank;

    /// <param name="factor">B, [outputs, rank].</param>
    /// <param name="to">Room for <see cref="Bytes"/>; outlives this.</param>
    public IntegerExpansion(Tensor factor, byte* to)
    {
        _packed = to;
        _rank = (int)factor.shape[1];
        _kernel = Kernel(_rank);
        using var wide = new NativeBuffer<float>((long)ProductKernel.OutputMultiple * _kernel.Inputs);
        var block = new Span<float>(wide.Pointer, ProductKernel.OutputMultiple * _kernel.Inputs);
        block.Clear();
        for (var output = 0; output < factor.shape[0]; output += ProductKernel.OutputMultiple)
        {
            for (var lane = 0; lane < ProductKernel.OutputMultiple; lane++)
            {
                TensorMemory.Widen(factor, (long)(output + lane) * _rank, block.Slice(lane * _kernel.Inputs, _rank));
            }

            MatrixPacking.Pack(wide.Pointer, WeightFormat.Q8, _kernel, to + ((nint)output * _kernel.OutputBytes));
        }
    }

    /// <summary>Memory that a factor of this shape takes.</summary>
    public static long Bytes(Tensor factor) => factor.shape[0] * Kernel((int)factor.shape[1]).OutputBytes;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Add(int first, int count, float* low, nint lowStride, int rows, float* y, nint stride)
    {
        var whole = (_rank + Group - 1) / Group * Group;
        var wide = stackalloc float[whole];
        var packed = stackalloc byte[TileRows * _kernel.RowBytes];
        new Span<float>(wide, whole).Clear();
        for (var row = 0; row < rows; row += TileRows)
        {
            var height = Math.Min(TileRows, rows - row);
            for (var m = 0; m < height; m++)
            {
                new ReadOnlySpan<float>(low + ((row + m) * lowStride), _rank).CopyTo(new Span<float>(wide, whole));
                _kernel.Store(wide, packed + ((nint)m * _kernel.RowBytes), 0, whole);
            }

            _kernel.Multiply(packed, height, _packed + ((nint)first * _kernel.OutputBytes), count, y + (row * stride), stride, add: true);
        }
    }

    // A kernel is kept for good, so that there must not be one for every rank that somebody may think of.
    private static IProductKernel Kernel(int rank)
    {
        var multiple = rank <= MostShort ? IntegerLayout.InputMultiple(WeightFormat.Q8) : Group;
        return ProductKernel.For(WeightFormat.Q8, (rank + multiple - 1) / multiple * multiple);
    }
}
