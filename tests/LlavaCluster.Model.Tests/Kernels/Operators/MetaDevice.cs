using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Tests.Kernels.Operators;

/// <summary>
/// libtorch's device without memory, as a stand-in for a GPU: operators there only work shapes out, refuse tensors of the host beside their own, and nothing can be read. This counts
/// what is copied to it and from it, whoever does so, by standing in the dispatcher's place for copies (a copy to the host then leaves what is there), and adds the operators that libtorch has for
/// it in Python alone. Counts belong to the calling thread; what is registered stays for the process and for that device only.
/// </summary>
internal static unsafe partial class MetaDevice
{
    private static readonly Lazy<bool> Registered = new(Register);

    [ThreadStatic]
    private static List<string>? _mixed;

    public static Device Device { get; } = new(DeviceType.META);

    [field: ThreadStatic]
    public static int Uploads { get; private set; }

    [field: ThreadStatic]
    public static int Downloads { get; private set; }

    /// <summary>Operators that were given tensors of the host too.</summary>
    public static IReadOnlyList<string> Mixed => _mixed ?? [];

    /// <summary>Counts from zero.</summary>
    public static void Begin()
    {
        Assert.True(Registered.Value);
        (Uploads, Downloads, _mixed) = (0, 0, []);
    }

    private static bool Register()
    {
        _ = get_num_threads(); // loads libtorch
        var status = InitLibrary("aten", "Meta", nameof(MetaDevice), 1, out var library);
        status |= Implement(library, "copy_", &Copy);
        status |= Implement(library, "index_select", &IndexSelect);
        status |= Implement(library, "where.self", &Where);
        status |= Implement(library, "_safe_softmax", &SafeSoftmax);
        return status == 0;
    }

    // copy_(Tensor self, Tensor src, bool non_blocking) -> Tensor
    [UnmanagedCallersOnly]
    private static void Copy(nint* stack, ulong arguments, ulong results)
    {
        using var source = Tensor.UnsafeCreateTensor(stack[1]);
        using var target = Borrow(stack[0]);
        Uploads += target.device_type == DeviceType.META && source.device_type == DeviceType.CPU ? 1 : 0;
        Downloads += target.device_type == DeviceType.CPU ? 1 : 0;
    }

    // index_select(Tensor self, int dim, Tensor index) -> Tensor
    [UnmanagedCallersOnly]
    private static void IndexSelect(nint* stack, ulong arguments, ulong results)
    {
        using var self = Tensor.UnsafeCreateTensor(stack[0]);
        using var index = Tensor.UnsafeCreateTensor(stack[2]);
        Note(self, index);
        var shape = self.shape;
        shape[stack[1]] = index.numel();
        stack[0] = Give(shape, self.dtype);
    }

    // where.self(Tensor condition, Tensor self, Tensor other) -> Tensor
    [UnmanagedCallersOnly]
    private static void Where(nint* stack, ulong arguments, ulong results)
    {
        using var condition = Tensor.UnsafeCreateTensor(stack[0]);
        using var self = Tensor.UnsafeCreateTensor(stack[1]);
        using var other = Tensor.UnsafeCreateTensor(stack[2]);
        Note(condition, self, other);
        stack[0] = Give(Broadcast(condition.shape, Broadcast(self.shape, other.shape)), self.dtype);
    }

    // _safe_softmax(Tensor self, int dim, ScalarType? dtype) -> Tensor
    [UnmanagedCallersOnly]
    private static void SafeSoftmax(nint* stack, ulong arguments, ulong results)
    {
        using var self = Tensor.UnsafeCreateTensor(stack[0]);
        stack[0] = Give(self.shape, self.dtype);
    }

    // Nothing may be thrown into libtorch: what is wrong is noted.
    private static void Note(params Tensor[] tensors)
    {
        if (tensors.Any(tensor => tensor.device_type != DeviceType.META))
        {
            _mixed!.Add(new System.Diagnostics.StackTrace().ToString());
        }
    }

    private static long[] Broadcast(long[] left, long[] right)
    {
        var (longer, shorter) = left.Length < right.Length ? (right, left) : (left, right);
        var lead = longer.Length - shorter.Length;
        return [.. longer.Select((extent, axis) => axis < lead || extent != 1 ? extent : shorter[axis - lead])];
    }

    private static nint Give(long[] shape, ScalarType type)
    {
        using var made = empty(shape, type, Device);
        return NewHandle(made.Handle, out var handle) == 0 ? handle : throw new InvalidOperationException("no handle");
    }

    /// <summary>Another handle of a tensor that the stack keeps.</summary>
    private static Tensor Borrow(nint tensor) => NewHandle(tensor, out var handle) == 0 ? Tensor.UnsafeCreateTensor(handle) : throw new InvalidOperationException("no handle");

    private static int Implement(nint library, string name, delegate* unmanaged<nint*, ulong, ulong, void> function) => Implement(library, name, (nint)function);

    [LibraryImport("torch_cpu", EntryPoint = "aoti_torch_library_init_impl", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int InitLibrary(string space, string key, string file, uint line, out nint library);

    [LibraryImport("torch_cpu", EntryPoint = "aoti_torch_library_impl", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Implement(nint library, string name, nint function);

    [LibraryImport("torch_cpu", EntryPoint = "aoti_torch_new_tensor_handle")]
    private static partial int NewHandle(nint tensor, out nint copy);
}
