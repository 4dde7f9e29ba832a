using System.Collections.Concurrent;
using System.ComponentModel;
using LlavaCluster.Model.Kernels.Machine;

namespace LlavaCluster.Model.Kernels.Products;

/// <summary>Chooses the fastest kernel this processor has.</summary>
internal static class ProductKernel
{
    /// <summary>Outputs come in blocks of so many.</summary>
    public const int OutputMultiple = 16;

    /// <summary>Inputs come in blocks of so many.</summary>
    public const int InputMultiple = 32;

    private static readonly ConcurrentDictionary<int, IProductKernel> Kernels = new();

    /// <summary>Whether products of this shape can be computed here; others stay with libtorch.</summary>
    public static bool Supports(int inputs, int outputs) => inputs > 0 && inputs % InputMultiple == 0 && outputs > 0 && outputs % OutputMultiple == 0;

    /// <summary>The kernel for this many inputs; kept for the life of the process.</summary>
    public static IProductKernel ForBFloat16(int inputs) => Kernels.GetOrAdd(inputs, Create);

    private static IProductKernel Create(int inputs)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(inputs % InputMultiple, 0, nameof(inputs));
        if (Processor.HasBFloat16)
        {
            try
            {
                return new DotTileKernel(inputs);
            }
            catch (Win32Exception)
            {
                // A hardened system maps no executable memory; the portable kernel needs none.
            }
        }

        return new PortableKernel(inputs);
    }
}
