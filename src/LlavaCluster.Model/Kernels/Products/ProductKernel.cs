using System.Collections.Concurrent;
using System.ComponentModel;
using System.Runtime.Intrinsics.X86;
using LlavaCluster.Model.Kernels.Machine;

namespace LlavaCluster.Model.Kernels.Products;

/// <summary>Chooses the fastest kernel this processor has.</summary>
internal static class ProductKernel
{
    /// <summary>Outputs come in blocks of so many.</summary>
    public const int OutputMultiple = 16;

    /// <summary>Inputs come in blocks of so many.</summary>
    public const int InputMultiple = 32;

    /// <summary>Whether products of this shape can be computed here; others stay with libtorch.</summary>
    public static bool Supports(int inputs, int outputs) => inputs > 0 && inputs % InputMultiple == 0 && outputs > 0 && outputs % OutputMultiple == 0;

    /// <summary>The kernel for this many inputs; kept for the life of the process.</summary>
    public static IProductKernel<T> For<TElement, T>(int inputs)
        where TElement : struct, IElement<T>
        where T : unmanaged =>
        Known<TElement, T>.Kernels.GetOrAdd(inputs, Known<TElement, T>.Create);

    private static class Known<TElement, T>
        where TElement : struct, IElement<T>
        where T : unmanaged
    {
        public static readonly ConcurrentDictionary<int, IProductKernel<T>> Kernels = new();
        public static readonly Func<int, IProductKernel<T>> Create = Best;

        private static IProductKernel<T> Best(int inputs)
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual(inputs % InputMultiple, 0, nameof(inputs));
            if (DotTileKernel<T>.IsSupported)
            {
                try
                {
                    return new DotTileKernel<T>(inputs);
                }
                catch (Win32Exception)
                {
                    // A hardened system maps no executable memory; the portable kernel needs none.
                }
            }

            return new PortableKernel<TElement, T>(inputs);
        }
    }
}
