using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Kernels.Machine;

namespace LlavaCluster.Model.Kernels.Products;

/// <summary>
/// AVX-512, with AVX512-BF16 where the elements are bfloat16. A tile of up to 6 rows of x and 4 rows of W is summed in 24 registers along the inputs, 64 bytes at a time;
/// every loaded register is used 4 or 6 times, so a tile is bound by arithmetic and a single row by memory. The 16 lanes are added up last: four outputs become one register while they are
/// at hand, four of those the sums of 16 outputs.
///
/// <code>
///           W: 4 rows   inputs →
///   x:      n0 n1 n2 n3
///   m0      00 01 02 03        each cell a register of 16 partial sums
///   ..                         sums: [groups of four n][rows m][4 n][16 lanes]
///   m5      20 21 22 23         of the last stretch: [groups of four n][rows m][16 lanes], as far apart
/// </code>
///
/// Rows longer than a stretch are taken in stretches, of which six of x and four of W fit the first-level cache; partial sums wait in memory between two stretches and are the same numbers
/// as without them. All rows pass over the given outputs before the next are read: a caller that gives no more than fit the second-level cache reads each weight from memory once.
/// </summary>
internal sealed unsafe class DotTileKernel<TElement, T> : IProductKernel, IDisposable
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    private const int MostRows = 6;
    private const int TileOutputs = 4;
    private const int Groups = ProductKernel.OutputMultiple / TileOutputs;
    private const int Lanes = 16;
    private const int VectorBytes = 64;
    private const int FirstWeight = 24;
    private const int Row = 31;

    private const int StretchBytes = 4096;

    private readonly MachineCode[] _only, _first, _middle, _last; // [rows], for a stretch that is all of a row or has others behind or before it

    /// <exception cref="System.ComponentModel.Win32Exception">No executable memory is to be had.</exception>
    public DotTileKernel(int inputs)
    {
        Inputs = inputs;
        (_only, _first, _middle, _last) = (Tiles(false, true), Tiles(false, false), Tiles(true, false), Tiles(true, true));

        MachineCode[] Tiles(bool resumed, bool ends) => [.. Enumerable.Range(1, MostRows).Select(rows => new MachineCode(Assemble(rows, RowBytes, resumed, ends)))];
    }

    public int Inputs { get; }

    public int RowBytes => Inputs * sizeof(T);

    public int OutputBytes => Inputs * sizeof(T);

    public void Store(float* values, byte* row, int first, int count) => RowKernels.Store<TElement, T>(values, (T*)row + first, count);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Multiply(byte* x, int rows, byte* weights, int outputs, float* y, nint stride, bool add)
    {
        var scratch = stackalloc byte[(ProductKernel.OutputMultiple * MostRows * VectorBytes) + VectorBytes];
        var sums = (float*)(((nint)scratch + VectorBytes - 1) & -VectorBytes);
        // Even heights: a last pass of a row or two would take as long as one of three.
        for (int row = 0, passes = (rows + MostRows - 1) / MostRows; passes > 0; passes--)
        {
            var height = (rows - row + passes - 1) / passes;
            for (var output = 0; output < outputs; output += ProductKernel.OutputMultiple)
            {
                SumLanes(x + ((nint)row * RowBytes), height, weights + ((nint)output * OutputBytes), sums);
                for (var m = 0; m < height; m++)
                {
                    var target = y + ((row + m) * stride) + output;
                    var sum = LaneSums.Of(sums + (m * Lanes), height * TileOutputs * Lanes);
                    (add ? sum + Vector512.Load(target) : sum).Store(target);
                }
            }

            row += height;
        }
    }

    public void Dispose()
    {
        foreach (var tile in (MachineCode[])[.. _only, .. _first, .. _middle, .. _last])
        {
            tile.Dispose();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void SumLanes(byte* x, int rows, byte* weights, float* sums)
    {
        for (int from = 0, length; from < RowBytes; from += length)
        {
            length = Math.Min(StretchBytes, RowBytes - from);
            var ends = from + length == RowBytes;
            var tiles = from == 0 ? (ends ? _only : _first) : ends ? _last : _middle;
            var tile = (delegate* unmanaged[SuppressGCTransition]<byte*, byte*, float*, nint, nint, void>)tiles[rows - 1].Address;
            tile(x + from + length, weights + from + length, sums, Groups, -length);
        }
    }

    // Arguments: rdi = the end of x's stretch, rsi = of W's, rdx = sums, rcx = groups of four outputs, r8 = - bytes of the stretch. r10 runs from r8 to 0 along the inputs.
    private static byte[] Assemble(int rows, int rowBytes, bool resumed, bool ends)
    {
        var code = new Assembler();
        var group = code.Here;
        for (var sum = 0; sum < rows * TileOutputs; sum++)
        {
            if (resumed)
            {
                code.Load(sum, new Address(Register.Rdx, Displacement: sum * VectorBytes));
            }
            else
            {
                code.Zero(sum);
            }
        }

        code.Move(Register.R10, Register.R8);
        var step = code.Here;
        for (var n = 0; n < TileOutputs; n++)
        {
            code.Load(FirstWeight + n, new Address(Register.Rsi, Register.R10, n * rowBytes));
            // The next group's: every row is a stream that the processor's own prefetching finds anew.
            code.Prefetch(new Address(Register.Rsi, Register.R10, (TileOutputs + n) * rowBytes));
        }

        for (var m = 0; m < rows; m++)
        {
            code.Load(Row, new Address(Register.Rdi, Register.R10, m * rowBytes));
            for (var n = 0; n < TileOutputs; n++)
            {
                Sum(code, (m * TileOutputs) + n, FirstWeight + n);
            }
        }

        code.Add(Register.R10, VectorBytes);
        code.JumpUnlessZero(step);
        for (var m = 0; m < rows && ends; m++)
        {
            LaneSums.Quarter(code, m * TileOutputs, FirstWeight);
            code.Store(new Address(Register.Rdx, Displacement: m * VectorBytes), FirstWeight);
        }

        for (var sum = 0; sum < rows * TileOutputs && !ends; sum++)
        {
            code.Store(new Address(Register.Rdx, Displacement: sum * VectorBytes), sum);
        }

        code.Add(Register.Rdx, rows * TileOutputs * VectorBytes);
        code.Add(Register.Rsi, TileOutputs * rowBytes);
        code.Add(Register.Rcx, -1);
        code.JumpUnlessZero(group);
        code.Return();
        return code.ToArray();
    }

    private static void Sum(Assembler code, int sum, int weight)
    {
        if (typeof(T) == typeof(float))
        {
            code.MultiplyAdd(sum, Row, weight);
        }
        else
        {
            code.DotBFloat16(sum, Row, weight);
        }
    }
}
