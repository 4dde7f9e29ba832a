using System.Runtime.Intrinsics;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Kernels.Machine;

namespace LlavaCluster.Model.Kernels.Products;

/// <summary>
/// AVX-512, with AVX512-BF16 where the elements are bfloat16. A tile of up to 6 rows of x and 4 rows of W is summed in 24 registers along the inputs, 64 bytes at a time;
/// every loaded register is used 4 or 6 times, so a tile is bound by arithmetic and a single row by memory. The sums of 16 lanes are added up afterwards, for 16 outputs together.
///
/// <code>
///           W: 4 rows   inputs →
///   x:      n0 n1 n2 n3
///   m0      00 01 02 03        each cell a register of 16 partial sums
///   ..                         scratch: [4 groups of n][rows m][4 n][16 lanes]
///   m5      20 21 22 23
/// </code>
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

    private readonly MachineCode[] _tiles;

    /// <exception cref="System.ComponentModel.Win32Exception">No executable memory is to be had.</exception>
    public DotTileKernel(int inputs)
    {
        Inputs = inputs;
        _tiles = [.. Enumerable.Range(1, MostRows).Select(rows => new MachineCode(Assemble(rows, inputs * sizeof(T))))];
    }

    public int Inputs { get; }

    public int RowBytes => Inputs * sizeof(T);

    public int OutputBytes => Inputs * sizeof(T);

    public void Store(float* values, byte* row, int first, int count) => RowKernels.Store<TElement, T>(values, (T*)row + first, count);

    public void Multiply(byte* x, int rows, byte* weights, int outputs, float* y, nint stride, bool add)
    {
        var scratch = stackalloc byte[(Groups * MostRows * TileOutputs * VectorBytes) + VectorBytes];
        var sums = (float*)(((nint)scratch + VectorBytes - 1) & -VectorBytes);
        for (var row = 0; row < rows; row += MostRows)
        {
            var count = Math.Min(MostRows, rows - row);
            var tile = (delegate* unmanaged<byte*, byte*, float*, nint, void>)_tiles[count - 1].Address;
            for (var output = 0; output < outputs; output += ProductKernel.OutputMultiple)
            {
                tile(x + ((nint)row * RowBytes), weights + ((nint)output * OutputBytes), sums, Groups);
                for (var m = 0; m < count; m++)
                {
                    var target = y + ((row + m) * stride) + output;
                    var sum = LaneSums.Of(sums + (m * TileOutputs * Lanes), count * TileOutputs * Lanes);
                    (add ? sum + Vector512.Load(target) : sum).Store(target);
                }
            }
        }
    }

    public void Dispose()
    {
        foreach (var tile in _tiles)
        {
            tile.Dispose();
        }
    }

    // Arguments: rdi = x, rsi = weights, rdx = scratch, rcx = groups of four outputs. r8 runs from -bytes to 0 along the inputs.
    private static byte[] Assemble(int rows, int bytes)
    {
        var code = new Assembler();
        var group = code.Here;
        for (var sum = 0; sum < rows * TileOutputs; sum++)
        {
            code.Zero(sum);
        }

        code.Set(Register.R8, -bytes);
        var step = code.Here;
        for (var n = 0; n < TileOutputs; n++)
        {
            code.Load(FirstWeight + n, new Address(Register.Rsi, Register.R8, (n + 1) * bytes));
        }

        for (var m = 0; m < rows; m++)
        {
            code.Load(Row, new Address(Register.Rdi, Register.R8, (m + 1) * bytes));
            for (var n = 0; n < TileOutputs; n++)
            {
                Sum(code, (m * TileOutputs) + n, FirstWeight + n);
            }
        }

        code.Add(Register.R8, VectorBytes);
        code.JumpUnlessZero(step);
        for (var sum = 0; sum < rows * TileOutputs; sum++)
        {
            code.Store(new Address(Register.Rdx, Displacement: sum * VectorBytes), sum);
        }

        code.Add(Register.Rdx, rows * TileOutputs * VectorBytes);
        code.Add(Register.Rsi, TileOutputs * bytes);
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
