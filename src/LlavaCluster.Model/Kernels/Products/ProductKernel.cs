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

    private static readonly ConcurrentDictionary<(WeightFormat Format, int Inputs), IProductKernel> Known = new();

    /// <summary>Whether products of this shape can be computed here; others stay with libtorch.</summary>
    public static bool Supports(int inputs, int outputs) => inputs > 0 && inputs % InputMultiple == 0 && outputs > 0 && outputs % OutputMultiple == 0;

    /// <summary>Whether weights lie as an <see cref="IntegerLayout"/> says, and rows with them; otherwise both are plain numbers.</summary>
    public static bool IsInteger(WeightFormat format) => format is WeightFormat.Q8 or WeightFormat.Q4;

    /// <summary>The kernel for this many inputs, of which integers may have a part of a block; kept for the life of the process.</summary>
    public static IProductKernel For(WeightFormat format, int inputs)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(inputs % (IsInteger(format) ? IntegerLayout.InputMultiple(format) : InputMultiple), 0, nameof(inputs));
        return Known.GetOrAdd((format, inputs), static key => Best(key.Format, key.Inputs));
    }

    /// <summary>The kernel that runs on any processor: what the others are compared with.</summary>
    public static IProductKernel Portable(WeightFormat format, int inputs) => format switch
    {
        WeightFormat.Float32 => new PortableKernel<Float32Element, float>(inputs),
        WeightFormat.BFloat16 => new PortableKernel<BFloat16Element, ushort>(inputs),
        _ => new PortableIntegerKernel(new IntegerLayout(format, inputs)),
    };

    /// <summary>The kernel of machine code.</summary>
    /// <exception cref="Win32Exception">No executable memory is to be had.</exception>
    public static IProductKernel Machine(WeightFormat format, int inputs) => format switch
    {
        WeightFormat.Float32 => new DotTileKernel<Float32Element, float>(inputs),
        WeightFormat.BFloat16 => new DotTileKernel<BFloat16Element, ushort>(inputs),
        _ => new IntegerTileKernel(new IntegerLayout(format, inputs)),
    };

    /// <summary>Whether this processor has the instructions of the machine code.</summary>
    public static bool HasMachine(WeightFormat format) => format switch
    {
        WeightFormat.Float32 => Processor.HasWideVectors,
        WeightFormat.BFloat16 => Processor.HasBFloat16,
        _ => Processor.HasIntegerDots,
    };

    private static IProductKernel Best(WeightFormat format, int inputs)
    {
        if (HasMachine(format))
        {
            try
            {
                return Machine(format, inputs);
            }
            catch (Win32Exception)
            {
                // A hardened system maps no executable memory; the portable kernels need none.
            }
        }

        return Portable(format, inputs);
    }
}
