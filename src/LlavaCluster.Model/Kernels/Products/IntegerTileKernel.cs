using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using LlavaCluster.Model.Kernels.Machine;

namespace LlavaCluster.Model.Kernels.Products;

/// <summary>
/// AVX512-VNNI over an <see cref="IntegerLayout"/>. A tile of up to 6 rows of x and one or two blocks of 16 outputs: a lane is an output, so nothing is added up
/// across lanes. Within a group sums are exact integers; after it they are scaled and added in float32.
/// </summary>
internal sealed unsafe class IntegerTileKernel : IProductKernel, IDisposable
{
    private const int MostRows = 6;
    private const int MostBlocks = 2;
    private const int Lanes = ProductKernel.OutputMultiple;
    private const int VectorBytes = 64;

    // Registers: integer sums from 0, float sums from 12, both [rows][blocks]; then these.
    private const int FirstFloatSum = MostRows * MostBlocks;
    private const int FirstWeight = 24; // [blocks], then the scales
    private const int FirstRaw = 26; // [blocks]: two quads of nibbles
    private const int Row = 28;
    private const int Product = 29;
    private const int NibbleMask = 30;
    private const int Nibbles = 0x0F0F0F0F;

    private const int Ahead = 4096; // bytes that weights are asked for before their turn: the processor's own prefetching ends with a page

    private readonly IntegerLayout _layout;
    private readonly MachineCode[] _tiles; // [blocks][rows]

    /// <exception cref="System.ComponentModel.Win32Exception">No executable memory is to be had.</exception>
    public IntegerTileKernel(IntegerLayout layout)
    {
        _layout = layout;
        _tiles = [.. from blocks in Enumerable.Range(1, MostBlocks) from rows in Enumerable.Range(1, MostRows) select new MachineCode(Assemble(layout, rows, blocks))];
    }

    public int Inputs => _layout.Inputs;

    public int RowBytes => _layout.RowBytes;

    public int OutputBytes => _layout.BlockBytes / Lanes;

    public void Store(float* values, byte* row, int first, int count) => IntegerPacking.Store(values, row, first, count);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Multiply(byte* x, int rows, byte* weights, int outputs, float* y, nint stride, bool add)
    {
        var sums = stackalloc float[MostRows * MostBlocks * Lanes];
        for (var row = 0; row < rows; row += MostRows)
        {
            var count = Math.Min(MostRows, rows - row);
            for (var output = 0; output < outputs;)
            {
                var blocks = Math.Min(MostBlocks, (outputs - output) / Lanes);
                var tile = (delegate* unmanaged[SuppressGCTransition]<byte*, byte*, float*, void>)_tiles[((blocks - 1) * MostRows) + count - 1].Address;
                tile(x + ((nint)row * RowBytes), weights + ((nint)output / Lanes * _layout.BlockBytes), sums);
                var sum = sums;
                for (var m = 0; m < count; m++)
                {
                    var target = y + ((row + m) * stride) + output;
                    for (var b = 0; b < blocks; b++, sum += Lanes, target += Lanes)
                    {
                        (add ? Vector512.Load(sum) + Vector512.Load(target) : Vector512.Load(sum)).Store(target);
                    }
                }

                output += blocks * Lanes;
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

    // Arguments: rdi = x, rsi = weights, rdx = sums. r8, r9 and r10 run along the groups of weights, scales and x, rcx counts the whole ones.
    private static byte[] Assemble(IntegerLayout layout, int rows, int blocks)
    {
        var code = new Assembler();
        if (layout.Bits < 8)
        {
            code.Set(Register.Rax, Nibbles);
            code.Broadcast(NibbleMask, Register.Rax);
        }

        code.Set(Register.R8, 0);
        code.Set(Register.R9, 0);
        code.Set(Register.R10, 0);
        for (var sum = 0; sum < rows * blocks; sum++)
        {
            code.Zero(FirstFloatSum + sum);
        }

        var whole = layout.Inputs / IntegerLayout.GroupInputs;
        if (whole > 0)
        {
            code.Set(Register.Rcx, whole);
            var group = code.Here;
            AddGroup(code, layout, IntegerLayout.Quads, rows, blocks);
            code.Add(Register.R8, layout.GroupBytes);
            code.Add(Register.R9, IntegerLayout.ScaleBytes);
            code.Add(Register.R10, IntegerLayout.RowGroupBytes);
            code.Add(Register.Rcx, -1);
            code.JumpUnlessZero(group);
        }

        if (layout.Groups > whole)
        {
            AddGroup(code, layout, layout.QuadsOf(whole), rows, blocks);
        }

        for (var sum = 0; sum < rows * blocks; sum++)
        {
            code.Store(new Address(Register.Rdx, Displacement: sum * VectorBytes), FirstFloatSum + sum);
        }

        code.Return();
        return code.ToArray();
    }

    private static void AddGroup(Assembler code, IntegerLayout layout, int quads, int rows, int blocks)
    {
        StartSums(code, layout, rows, blocks);
        for (var quad = 0; quad < quads; quad++)
        {
            LoadWeights(code, layout, quad, blocks);
            AddQuad(code, layout, quad, rows, blocks);
        }

        Scale(code, layout, rows, blocks);
    }

    // What the weights' offset adds to every product of the group is taken away beforehand.
    private static void StartSums(Assembler code, IntegerLayout layout, int rows, int blocks)
    {
        for (var m = 0; m < rows; m++)
        {
            code.Broadcast(m * blocks, new Address(Register.Rdi, Register.R10, (m * layout.RowBytes) + layout.RowSumAt));
            for (var b = 1; b < blocks; b++)
            {
                code.Move((m * blocks) + b, m * blocks);
            }
        }
    }

    private static void LoadWeights(Assembler code, IntegerLayout layout, int quad, int blocks)
    {
        for (var b = 0; b < blocks; b++)
        {
            if (layout.Bits == 8)
            {
                code.Load(FirstWeight + b, new Address(Register.Rsi, Register.R8, (b * layout.BlockBytes) + (quad * IntegerLayout.QuadBytes)));
                Prefetch(code, layout, b, quad);
            }
            else if (quad % 2 == 0)
            {
                code.Load(FirstRaw + b, new Address(Register.Rsi, Register.R8, (b * layout.BlockBytes) + (quad / 2 * IntegerLayout.QuadBytes)));
                Prefetch(code, layout, b, quad / 2);
                code.And(FirstWeight + b, FirstRaw + b, NibbleMask);
            }
            else
            {
                code.ShiftRight(FirstWeight + b, FirstRaw + b, 4);
                code.And(FirstWeight + b, FirstWeight + b, NibbleMask);
            }
        }
    }

    private static void Prefetch(Assembler code, IntegerLayout layout, int block, int line) =>
        code.Prefetch(new Address(Register.Rsi, Register.R8, (block * layout.BlockBytes) + (line * IntegerLayout.QuadBytes) + Ahead));

    private static void AddQuad(Assembler code, IntegerLayout layout, int quad, int rows, int blocks)
    {
        for (var m = 0; m < rows; m++)
        {
            code.Broadcast(Row, new Address(Register.Rdi, Register.R10, (m * layout.RowBytes) + (quad * IntegerLayout.QuadInputs)));
            for (var b = 0; b < blocks; b++)
            {
                code.DotBytes((m * blocks) + b, FirstWeight + b, Row);
            }
        }
    }

    private static void Scale(Assembler code, IntegerLayout layout, int rows, int blocks)
    {
        for (var b = 0; b < blocks; b++)
        {
            code.LoadHalves(FirstWeight + b, new Address(Register.Rsi, Register.R9, (b * layout.BlockBytes) + layout.ScalesAt));
        }

        for (var m = 0; m < rows; m++)
        {
            code.Broadcast(Row, new Address(Register.Rdi, Register.R10, (m * layout.RowBytes) + IntegerLayout.RowScaleAt));
            for (var b = 0; b < blocks; b++)
            {
                code.IntegersToFloats(Product, (m * blocks) + b);
                code.Multiply(Product, Product, FirstWeight + b);
                code.MultiplyAdd(FirstFloatSum + (m * blocks) + b, Product, Row);
            }
        }
    }
}
