using System.Runtime.InteropServices;

namespace LlavaCluster.Training.Precision;

/// <summary>
/// Whether oneDNN may compute float32 matrix products in bfloat16 (at::Context::setFloat32Precision; TorchSharp's set_float32_matmul_precision is not implemented).
/// A process-wide setting: for a training process, never for a serving one.
/// </summary>
public static partial class MatmulPrecision
{
    private const string Library = "torch_cpu";
    private const string GetContext = "_ZN2at13globalContextEv";
    private const string SetPrecision = "_ZN2at7Context19setFloat32PrecisionENS_14Float32BackendENS_9Float32OpENS_16Float32PrecisionE";
    private const int OneDnn = 2;
    private const int Matmul = 3;
    private const int BFloat16 = 3;

    /// <summary>False where this libtorch does not export the setting; training is then only slower.</summary>
    public static bool TryAllowBFloat16()
    {
        if (!NativeLibrary.TryLoad(Library, typeof(MatmulPrecision).Assembly, null, out var library)
            || !NativeLibrary.TryGetExport(library, GetContext, out _)
            || !NativeLibrary.TryGetExport(library, SetPrecision, out _))
        {
            return false;
        }

        SetFloat32Precision(GlobalContext(), OneDnn, Matmul, BFloat16);
        return true;
    }

    [LibraryImport(Library, EntryPoint = GetContext)]
    private static partial nint GlobalContext();

    [LibraryImport(Library, EntryPoint = SetPrecision)]
    private static partial void SetFloat32Precision(nint context, int backend, int operation, int precision);
}
