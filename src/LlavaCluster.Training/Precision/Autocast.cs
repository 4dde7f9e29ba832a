using System.Runtime.InteropServices;
using LlavaCluster.Model.Kernels.Machine;

namespace LlavaCluster.Training.Precision;

/// <summary>
/// While it lives, libtorch runs matrix products of this thread in bfloat16 and keeps the rest in float32 (torch.autocast on the CPU). Dispose it before the
/// backward pass and on the thread that made it. TorchSharp does not wrap autocast; its switch is reached through libtorch's exported C++ symbols, and where a
/// build of libtorch lacks them <see cref="IsSupported"/> is false.
/// </summary>
public readonly partial struct Autocast : IDisposable
{
    private const string Library = "torch_cpu";
    private const sbyte Cpu = 0;
    private const string SetEnabled = "_ZN2at8autocast20set_autocast_enabledEN3c1010DeviceTypeEb";
    private const string ClearCache = "_ZN2at8autocast11clear_cacheEv";

    private static readonly Lazy<bool> Supported = new(() =>
        NativeLibrary.TryLoad(Library, typeof(Autocast).Assembly, null, out var library)
        && NativeLibrary.TryGetExport(library, SetEnabled, out _)
        && NativeLibrary.TryGetExport(library, ClearCache, out _));

    private readonly bool _active;

    private Autocast(bool active) => _active = active;

    public static bool IsSupported => Supported.Value;

    /// <summary>Whether bfloat16 products are also faster than float32's here: a processor without instructions for them emulates them, several times slower.</summary>
    public static bool IsFaster => IsSupported && Processor.HasBFloat16;

    /// <exception cref="PlatformNotSupportedException">This libtorch does not export the switch.</exception>
    public static Autocast BFloat16(bool enabled = true)
    {
        if (!enabled)
        {
            return default;
        }

        if (!IsSupported)
        {
            throw new PlatformNotSupportedException("bfloat16 autocast needs a libtorch that exports at::autocast; this one does not. Train in float32.");
        }

        EnableAutocast(Cpu, true);
        return new Autocast(true);
    }

    public void Dispose()
    {
        if (_active)
        {
            EnableAutocast(Cpu, false);
            ClearAutocastCache(); // holds this step's bfloat16 copies of the weights
        }
    }

    [LibraryImport(Library, EntryPoint = SetEnabled)]
    private static partial void EnableAutocast(sbyte device, [MarshalAs(UnmanagedType.U1)] bool enabled);

    [LibraryImport(Library, EntryPoint = ClearCache)]
    private static partial void ClearAutocastCache();
}
