using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Weights;

/// <summary>
/// Tensors over memory that somebody else owns, and the address of a tensor's own memory: the two things TorchSharp has no call for.
/// Both are plain C functions of libtorch (torch/csrc/inductor/aoti_torch/c/shim.h); TorchSharp's handle is the handle they take.
/// </summary>
internal static unsafe partial class TensorMemory
{
    private const int CpuDevice = 0;

    /// <summary>A CPU tensor over <paramref name="data"/>, which must outlive it; memory that is not aligned for the type is copied instead.</summary>
    public static Tensor View(byte* data, ScalarType type, ReadOnlySpan<long> shape, ReadOnlySpan<long> strides)
    {
        LoadLibtorch();
        if ((nuint)data % (nuint)ElementSize(type) != 0)
        {
            return CopyOf(data, type, shape, strides);
        }

        Span<long> sizes = [.. shape, 1];
        Span<long> steps = [.. strides, 1];
        fixed (long* size = sizes)
        fixed (long* step = steps)
        {
            var status = CreateFromBlob(data, shape.Length, size, step, 0, (int)type, CpuDevice, 0, out var handle);
            return status == 0 ? Tensor.UnsafeCreateTensor(handle) : throw new InvalidOperationException($"libtorch refused a tensor of shape {TensorInfo.Print(shape.ToArray())}.");
        }
    }

    /// <summary>The first byte of a contiguous CPU tensor.</summary>
    /// <exception cref="ArgumentException">Its elements do not lie one after the other.</exception>
    public static byte* Address(Tensor tensor)
    {
        if (!tensor.is_contiguous())
        {
            throw new ArgumentException($"A tensor must be contiguous to be read by its address; its strides are {TensorInfo.Print(tensor.stride())} for shape {TensorInfo.Print(tensor.shape)}.", nameof(tensor));
        }

        LoadLibtorch();
        return GetDataPointer(tensor.Handle, out var data) == 0 ? data : throw new InvalidOperationException("libtorch has no address for the tensor.");
    }

    /// <summary>Elements of a contiguous CPU tensor of floating-point numbers in float32, from the given one on. Any thread: libtorch computes nothing.</summary>
    public static void Widen(Tensor tensor, long first, Span<float> to)
    {
        var stored = tensor.dtype; // asks libtorch
        var data = Address(tensor) + (first * ElementSize(stored));
        for (var i = 0; i < to.Length; i++)
        {
            to[i] = stored switch
            {
                ScalarType.Float32 => ((float*)data)[i],
                ScalarType.BFloat16 => BitConverter.UInt32BitsToSingle((uint)((ushort*)data)[i] << 16),
                ScalarType.Float16 => (float)((Half*)data)[i],
                ScalarType.Float64 => (float)((double*)data)[i],
                var type => throw new ArgumentException($"A tensor must hold floating-point numbers; was {type}.", nameof(tensor)),
            };
        }
    }

    public static int ElementSize(ScalarType type) => type switch
    {
        ScalarType.Float64 or ScalarType.Int64 => 8,
        ScalarType.Float32 or ScalarType.Int32 => 4,
        ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Int16 => 2,
        ScalarType.Byte or ScalarType.Int8 or ScalarType.Bool => 1,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Not a type that weight files hold."),
    };

    /// <summary>Row-major strides of a shape, in elements.</summary>
    public static long[] ContiguousStrides(IReadOnlyList<long> shape)
    {
        var strides = new long[shape.Count];
        var step = 1L;
        for (var axis = shape.Count - 1; axis >= 0; axis--)
        {
            strides[axis] = step;
            step *= Math.Max(shape[axis], 1);
        }

        return strides;
    }

    private static Tensor CopyOf(byte* data, ScalarType type, ReadOnlySpan<long> shape, ReadOnlySpan<long> strides)
    {
        var extent = 1L;
        for (var axis = 0; axis < shape.Length; axis++)
        {
            extent = shape[axis] == 0 ? 0 : extent + ((shape[axis] - 1) * strides[axis]);
            if (extent == 0)
            {
                break;
            }
        }

        using var storage = empty(extent, dtype: type);
        Buffer.MemoryCopy(data, Address(storage), extent * ElementSize(type), extent * ElementSize(type));
        return storage.as_strided(shape.ToArray(), strides.ToArray());
    }

    // TorchSharp finds and loads libtorch in its own way; afterwards the loader knows it by name.
    private static void LoadLibtorch() => _ = torch.get_num_threads();

    [LibraryImport("torch_cpu", EntryPoint = "aoti_torch_create_tensor_from_blob")]
    private static partial int CreateFromBlob(void* data, long dimensions, long* sizes, long* strides, long storageOffset, int type, int deviceType, int deviceIndex, out nint handle);

    [LibraryImport("torch_cpu", EntryPoint = "aoti_torch_get_data_ptr")]
    private static partial int GetDataPointer(nint tensor, out byte* data);
}
