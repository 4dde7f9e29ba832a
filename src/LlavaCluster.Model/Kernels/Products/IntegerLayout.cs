using System.Diagnostics;

namespace LlavaCluster.Model.Kernels.Products;

/// <summary>
/// How integer weights and the rows they are multiplied with lie in memory. A weight is (q - offset) * scale with q unsigned and one scale for 32 inputs of an output;
/// an input is an 8-bit integer times one scale for 32 of them. Then a dot product of 32 is a sum of products of bytes, less offset times the sum of the inputs, which
/// belongs to the row alone and is stored with it, for either offset: rows lie the same for all formats. The last group may have fewer weights than 32; a row's is whole, with zeros.
///
/// <code>
/// weights, a block of 16 outputs:   [groups][quads of 4 inputs][16 outputs][4 inputs] bytes or nibbles, then [groups][16 outputs] scales in float16
/// nibbles:                          quad 2k in the low halves and quad 2k + 1 in the high halves of the same 64 bytes
/// a row of x, for each group:       32 signed bytes, the scale in float32, -128 and -8 times their sum in int32
/// </code>
/// </summary>
internal sealed class IntegerLayout
{
    public const int GroupInputs = 32;
    public const int QuadInputs = 4;
    public const int Quads = GroupInputs / QuadInputs;
    public const int QuadBytes = ProductKernel.OutputMultiple * QuadInputs;
    public const int ScaleBytes = ProductKernel.OutputMultiple * sizeof(ushort); // of a group of a block
    public const int ByteOffset = 128, NibbleOffset = 8;
    public const int RowScaleAt = GroupInputs;
    public const int RowByteSumAt = RowScaleAt + sizeof(float);
    public const int RowNibbleSumAt = RowByteSumAt + sizeof(int);
    public const int RowGroupBytes = RowNibbleSumAt + sizeof(int);

    /// <param name="format">Of integers.</param>
    /// <param name="inputs">A multiple of <see cref="InputMultiple"/>.</param>
    public IntegerLayout(WeightFormat format, int inputs)
    {
        (Format, Inputs, Groups) = (format, inputs, (inputs + GroupInputs - 1) / GroupInputs);
        (Bits, Offset, RowSumAt) = format switch
        {
            WeightFormat.Q8 => (8, ByteOffset, RowByteSumAt),
            WeightFormat.Q4 => (4, NibbleOffset, RowNibbleSumAt),
            _ => throw new UnreachableException($"{format} has no integers."),
        };
    }

    public WeightFormat Format { get; }

    public int Inputs { get; }

    /// <summary>With the last, which may be short.</summary>
    public int Groups { get; }

    public int Bits { get; }

    /// <summary>What stands for zero.</summary>
    public int Offset { get; }

    /// <summary>Where a row's group has what the offset adds to its products, negated.</summary>
    public int RowSumAt { get; }

    public int RowBytes => Groups * RowGroupBytes;

    /// <summary>Bytes of a whole group's weights in a block.</summary>
    public int GroupBytes => Quads * QuadBytes * Bits / 8;

    /// <summary>Where a block's scales begin.</summary>
    public int ScalesAt => Inputs / QuadInputs * QuadBytes * Bits / 8;

    public int BlockBytes => ScalesAt + (Groups * ScaleBytes);

    /// <summary>Inputs come in so many: 64 bytes of a block.</summary>
    public static int InputMultiple(WeightFormat format) => format == WeightFormat.Q4 ? 2 * QuadInputs : QuadInputs;

    /// <summary>Fours of inputs that a group has.</summary>
    public int QuadsOf(int group) => Math.Min(Quads, (Inputs / QuadInputs) - (group * Quads));
}
