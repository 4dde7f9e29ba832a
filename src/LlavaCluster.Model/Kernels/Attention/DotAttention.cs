using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using LlavaCluster.Model.Kernels.Machine;

namespace LlavaCluster.Model.Kernels.Attention;

/// <summary>
/// The two products of attention in AVX512-BF16: two dimensions of 16 keys, or two tokens of 16 dimensions, in one instruction. Up to 6 queries share what is loaded; their sums
/// stay in 24 registers. Every sum is taken in the same order whatever the number of queries. Thread-safe.
///
/// <code>
/// scores:   a register for each query and four blocks of keys, along the dimensions
/// mixture:  a register for each query and 16 of 64 dimensions, along the pairs of tokens
/// </code>
/// </summary>
internal sealed unsafe class DotAttention : IDisposable
{
    private const int MostQueries = AttentionKernel<BFloat16Element, ushort>.MostQueries;
    private const int BlockSize = AttentionKernel<BFloat16Element, ushort>.BlockSize;
    private const int Together = 4; // blocks of keys, or registers of values
    private const int VectorBytes = 64;
    private const int Lanes = 16;
    private const int PairBytes = 2 * sizeof(ushort);
    private const int FirstLoaded = MostQueries * Together;
    private const int Broadcast = 31;

    private readonly int _headDim;
    private readonly nint _blockStride;
    private readonly MachineCode[] _scores; // [queries]
    private readonly MachineCode[] _wide, _narrow; // [queries]: mixtures of 64 and 32 dimensions

    /// <param name="headDim">A multiple of 32.</param>
    /// <param name="blockStride">Elements from a block to the next.</param>
    /// <param name="stride">From one query's scores, or weights, to the next.</param>
    /// <exception cref="System.ComponentModel.Win32Exception">No executable memory is to be had.</exception>
    public DotAttention(int headDim, nint blockStride, int stride)
    {
        (_headDim, _blockStride) = (headDim, blockStride);
        _scores = Each(queries => AssembleScores(queries, headDim, stride));
        _wide = Each(queries => AssembleMixture(queries, Together, headDim, stride, (int)blockStride));
        _narrow = Each(queries => AssembleMixture(queries, Together / 2, headDim, stride, (int)blockStride));

        static MachineCode[] Each(Func<int, byte[]> assemble) => [.. Enumerable.Range(1, MostQueries).Select(queries => new MachineCode(assemble(queries)))];
    }

    /// <summary>A number of tokens up to whole groups of four blocks.</summary>
    public static int Padded(int context) => (context + (Together * BlockSize) - 1) / (Together * BlockSize) * (Together * BlockSize);

    /// <summary>Query times key for every token of the blocks, not scaled; what comes behind them up to <see cref="Padded"/> is anything.</summary>
    /// <param name="rows">[queries, headDim]</param>
    /// <param name="scores">[queries, stride]</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Score(int queries, ushort* rows, ushort* keys, ReadOnlySpan<long> blocks, float* scores)
    {
        var code = (delegate* unmanaged[SuppressGCTransition]<ushort*, ushort*, ushort*, ushort*, ushort*, float*, void>)_scores[queries - 1].Address;
        for (var first = 0; first < blocks.Length; first += Together)
        {
            code(rows, Key(blocks, first), Key(blocks, first + 1), Key(blocks, first + 2), Key(blocks, first + 3), scores + (first * BlockSize));
        }

        ushort* Key(ReadOnlySpan<long> blocks, int block) => keys + ((nint)blocks[Math.Min(block, blocks.Length - 1)] * _blockStride);
    }

    /// <summary>Values added up by weight.</summary>
    /// <param name="weights">[queries, stride]; 0 behind a query's context.</param>
    /// <param name="context">The longest, at least 1.</param>
    /// <param name="output">[queries, headDim]</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Mix(int queries, ushort* weights, int context, ushort* values, ReadOnlySpan<long> blocks, float* output)
    {
        const int wide = Together * Lanes;
        fixed (long* table = &MemoryMarshal.GetReference(blocks))
        {
            for (var slice = 0; slice < _headDim; slice += wide)
            {
                var code = (delegate* unmanaged[SuppressGCTransition]<ushort*, ushort*, long*, nint, float*, void>)(slice + wide <= _headDim ? _wide : _narrow)[queries - 1].Address;
                code(weights, values + (2 * slice), table, (context + 1) / 2, output + slice);
            }
        }
    }

    public void Dispose()
    {
        foreach (var code in (MachineCode[])[.. _scores, .. _wide, .. _narrow])
        {
            code.Dispose();
        }
    }

    // Arguments: rdi = queries, rsi, rdx, rcx and r8 = keys of four blocks, r9 = scores. rax runs from - bytes of a query to 0, r10 along the keys.
    private static byte[] AssembleScores(int queries, int headDim, int stride)
    {
        var (code, rowBytes) = (new Assembler(), headDim * sizeof(ushort));
        Zero(code, queries * Together);
        code.Set(Register.Rax, -rowBytes);
        code.Set(Register.R10, 0);
        var pair = code.Here;
        foreach (var (block, register) in ((Register[])[Register.Rsi, Register.Rdx, Register.Rcx, Register.R8]).Index())
        {
            code.Load(FirstLoaded + block, new Address(register, Register.R10));
        }

        for (var query = 0; query < queries; query++)
        {
            code.Broadcast(Broadcast, new Address(Register.Rdi, Register.Rax, (query + 1) * rowBytes));
            Dots(code, query, Together);
        }

        code.Add(Register.R10, VectorBytes);
        code.Add(Register.Rax, PairBytes);
        code.JumpUnlessZero(pair);
        Store(code, Register.R9, queries, Together, stride * sizeof(float));
        code.Return();
        return code.ToArray();
    }

    // Arguments: rdi = weights, rsi = values of block 0, rdx = the sequence's blocks, rcx = pairs of tokens, r8 = output. rax runs along a block's values, r10 counts its pairs.
    private static byte[] AssembleMixture(int queries, int registers, int headDim, int stride, int blockStride)
    {
        var code = new Assembler();
        Zero(code, queries * Together);
        var block = code.Here;
        code.Load(Register.Rax, new Address(Register.Rdx));
        code.Multiply(Register.Rax, blockStride * sizeof(ushort));
        code.Add(Register.Rax, Register.Rsi);
        code.Add(Register.Rdx, sizeof(long));
        code.Set(Register.R10, BlockSize / 2);
        var pair = code.Here;
        for (var register = 0; register < registers; register++)
        {
            code.Load(FirstLoaded + register, new Address(Register.Rax, Displacement: register * VectorBytes));
        }

        for (var query = 0; query < queries; query++)
        {
            code.Broadcast(Broadcast, new Address(Register.Rdi, Displacement: query * stride * sizeof(ushort)));
            Dots(code, query, registers);
        }

        code.Add(Register.Rax, headDim * PairBytes);
        code.Add(Register.Rdi, PairBytes);
        code.Add(Register.Rcx, -1);
        var end = code.JumpIfZero();
        code.Add(Register.R10, -1);
        code.JumpUnlessZero(pair);
        code.Jump(block);
        code.Land(end);
        Store(code, Register.R8, queries, registers, headDim * sizeof(float));
        code.Return();
        return code.ToArray();
    }

    private static void Zero(Assembler code, int sums)
    {
        for (var sum = 0; sum < sums; sum++)
        {
            code.Zero(sum);
        }
    }

    private static void Dots(Assembler code, int query, int registers)
    {
        for (var register = 0; register < registers; register++)
        {
            code.DotBFloat16((query * Together) + register, FirstLoaded + register, Broadcast);
        }
    }

    private static void Store(Assembler code, Register to, int queries, int registers, int rowBytes)
    {
        for (var query = 0; query < queries; query++)
        {
            for (var register = 0; register < registers; register++)
            {
                code.Store(new Address(to, Displacement: (query * rowBytes) + (register * VectorBytes)), (query * Together) + register);
            }
        }
    }
}
