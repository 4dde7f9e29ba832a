using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Kernels.Threading;
using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Kernels.Products;

/// <summary>Packs matrices: whole ones into integers, and a block of outputs into any format.</summary>
internal static unsafe class MatrixPacking
{
    /// <summary>Bytes of a packed matrix.</summary>
    public static long Bytes(WeightFormat format, long outputs, long inputs) => outputs / ProductKernel.OutputMultiple * new IntegerLayout(format, (int)inputs).BlockBytes;

    /// <summary>Packs one block of outputs as the kernel reads it.</summary>
    /// <param name="block">[16, inputs].</param>
    /// <param name="packed">Room for 16 outputs.</param>
    public static void Pack(float* block, WeightFormat format, IProductKernel kernel, byte* packed)
    {
        if (ProductKernel.IsInteger(format))
        {
            IntegerPacking.Pack(new IntegerLayout(format, kernel.Inputs), new ReadOnlySpan<float>(block, ProductKernel.OutputMultiple * kernel.Inputs), ProductKernel.OutputMultiple, packed);
            return;
        }

        for (var output = 0; output < ProductKernel.OutputMultiple; output++)
        {
            kernel.Store(block + ((nint)output * kernel.Inputs), packed + ((nint)output * kernel.OutputBytes), 0, kernel.Inputs); // plain numbers: as in a row of x
        }
    }

    /// <summary>Packs a matrix as a weight file holds it.</summary>
    /// <param name="stored">[outputs, inputs] in bfloat16, float16 or float32, on the CPU.</param>
    /// <param name="packed">Room for <see cref="Bytes"/>.</param>
    public static void PackStored(Tensor stored, WeightFormat format, byte* packed, KernelTeam team)
    {
        using var scope = NewDisposeScope();
        Pack(stored.dtype is ScalarType.BFloat16 or ScalarType.Float32 ? stored.contiguous() : stored.to(ScalarType.Float32).contiguous(), format, packed, team);
    }

    /// <param name="matrix">[outputs, inputs] in bfloat16 or float32, contiguous, on the CPU.</param>
    /// <param name="packed">Room for <see cref="Bytes"/>.</param>
    public static void Pack(Tensor matrix, WeightFormat format, byte* packed, KernelTeam team)
    {
        const int rows = ProductKernel.OutputMultiple;
        var (source, target, inputs, isHalf) = ((nint)TensorMemory.Address(matrix), (nint)packed, (int)matrix.shape[1], matrix.dtype == ScalarType.BFloat16);
        var layout = new IntegerLayout(format, inputs);
        // A block of outputs at a time and a buffer for each thread, so that only a few rows exist in float32.
        var buffers = new float[team.Threads][];
        team.Run((int)matrix.shape[0] / rows, (block, thread) =>
        {
            var wide = buffers[thread] ??= new float[rows * inputs];
            fixed (float* values = wide)
            {
                var first = (long)block * rows * inputs;
                if (isHalf)
                {
                    RowKernels.Load<BFloat16Element, ushort>((ushort*)source + first, values, wide.Length);
                }
                else
                {
                    RowKernels.Load<Float32Element, float>((float*)source + first, values, wide.Length);
                }
            }

            IntegerPacking.Pack(layout, wide, rows, (byte*)target + ((nint)block * layout.BlockBytes));
        });
    }
}
