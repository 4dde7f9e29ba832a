using System.Runtime.Intrinsics.X86;

namespace LlavaCluster.Model.Kernels.Machine;

/// <summary>What this processor can that .NET does not say (Intel SDM, CPUID leaf 7).</summary>
public static class Processor
{
    private const int Features = 7;
    private const int BFloat16Bit = 5; // subleaf 1, eax
    private const int VnniBit = 11; // subleaf 0, ecx

    /// <summary>vdpbf16ps on 512 bits. .NET's own check of AVX-512 includes the operating system's.</summary>
    public static bool HasBFloat16 { get; } = HasWideVectors && Bit(X86Base.CpuId(Features, 1).Eax, BFloat16Bit);

    /// <summary>vpdpbusd on 512 bits.</summary>
    internal static bool HasIntegerDots { get; } = HasWideVectors && Bit(X86Base.CpuId(Features, 0).Ecx, VnniBit);

    /// <summary>AVX-512 as every server has had it since 2017, and a system whose calls we know.</summary>
    internal static bool HasWideVectors => OperatingSystem.IsLinux() && Avx512F.X64.IsSupported && Avx512BW.IsSupported && Avx512DQ.IsSupported;

    private static bool Bit(int word, int bit) => ((word >> bit) & 1) != 0;
}
