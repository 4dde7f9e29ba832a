using System.Buffers.Binary;

namespace LlavaCluster.Model.Kernels.Machine;

/// <summary>
/// Writes x86-64 machine code, in the few forms our kernels need: .NET 10 has no intrinsics for AVX512-BF16 and AVX512-VNNI, which double and quadruple what a core
/// multiplies. Encodings are those of the Intel SDM, volume 2 (EVEX prefix: section 2.7). Registers 0 to 31 of <c>zmm</c>; every memory operand is
/// [base + index + displacement].
/// </summary>
internal sealed class Assembler
{
    private readonly List<byte> _code = [];

    /// <summary>The next instruction's place, to jump back to.</summary>
    public int Here => _code.Count;

    public byte[] ToArray() => [.. _code];

    /// <summary>zmm = 64 bytes at the address (vmovups).</summary>
    public void Load(int zmm, Address from) => Evex(Map.Escape0F, Prefix.None, 0x10, zmm, 0, from);

    /// <summary>64 bytes at the address = zmm (vmovups).</summary>
    public void Store(Address to, int zmm) => Evex(Map.Escape0F, Prefix.None, 0x11, zmm, 0, to);

    /// <summary>zmm = 0 (vpxord).</summary>
    public void Zero(int zmm) => Evex(Map.Escape0F, Prefix.Size, 0xEF, zmm, zmm, zmm);

    /// <summary>sum[i] += left[2i] * right[2i] + left[2i + 1] * right[2i + 1] for 16 floats and 32 bfloat16 pairs (vdpbf16ps).</summary>
    public void DotBFloat16(int sum, int left, int right) => Evex(Map.Escape0F38, Prefix.RepeatF3, 0x52, sum, left, right);

    /// <summary>sum += left * right for 16 floats (vfmadd231ps).</summary>
    public void MultiplyAdd(int sum, int left, int right) => Evex(Map.Escape0F38, Prefix.Size, 0xB8, sum, left, right);

    /// <summary>sum[i] += left[4i] * right[4i] + ... + left[4i + 3] * right[4i + 3] for 16 int32, left unsigned and right signed bytes (vpdpbusd).</summary>
    public void DotBytes(int sum, int left, int right) => Evex(Map.Escape0F38, Prefix.Size, 0x50, sum, left, right);

    /// <summary>to = left * right for 16 floats (vmulps).</summary>
    public void Multiply(int to, int left, int right) => Evex(Map.Escape0F, Prefix.None, 0x59, to, left, right);

    /// <summary>to = left + right for 16 floats (vaddps).</summary>
    public void Add(int to, int left, int right) => Evex(Map.Escape0F, Prefix.None, 0x58, to, left, right);

    /// <summary>In each quarter of four floats: left[0], right[0], left[1], right[1] (vunpcklps).</summary>
    public void InterleaveLow(int to, int left, int right) => Evex(Map.Escape0F, Prefix.None, 0x14, to, left, right);

    /// <summary>In each quarter of four floats: left[2], right[2], left[3], right[3] (vunpckhps).</summary>
    public void InterleaveHigh(int to, int left, int right) => Evex(Map.Escape0F, Prefix.None, 0x15, to, left, right);

    /// <summary>In each quarter of four floats: left[0], left[1], right[0], right[1] (vshufps).</summary>
    public void JoinLow(int to, int left, int right) => Shuffle(to, left, right, 0x44);

    /// <summary>In each quarter of four floats: left[2], left[3], right[2], right[3] (vshufps).</summary>
    public void JoinHigh(int to, int left, int right) => Shuffle(to, left, right, 0xEE);

    /// <summary>to = left and right, bit by bit (vpandd).</summary>
    public void And(int to, int left, int right) => Evex(Map.Escape0F, Prefix.Size, 0xDB, to, left, right);

    /// <summary>to = from shifted right by so many bits, in each of 16 words (vpsrld).</summary>
    public void ShiftRight(int to, int from, byte bits)
    {
        Evex(Map.Escape0F, Prefix.Size, 0x72, 2, to, from);
        _code.Add(bits);
    }

    /// <summary>to = from (vmovaps).</summary>
    public void Move(int to, int from) => Evex(Map.Escape0F, Prefix.None, 0x28, to, 0, from);

    /// <summary>16 times the 4 bytes at the address (vpbroadcastd).</summary>
    public void Broadcast(int to, Address from) => Evex(Map.Escape0F38, Prefix.Size, 0x58, to, 0, from);

    /// <summary>16 times the lower 4 bytes of the register (vpbroadcastd).</summary>
    public void Broadcast(int to, Register from) => Evex(Map.Escape0F38, Prefix.Size, 0x7C, to, 0, (int)from);

    /// <summary>16 int32 to float32 (vcvtdq2ps).</summary>
    public void IntegersToFloats(int to, int from) => Evex(Map.Escape0F, Prefix.None, 0x5B, to, 0, from);

    /// <summary>16 float16 at the address to float32 (vcvtph2ps).</summary>
    public void LoadHalves(int to, Address from) => Evex(Map.Escape0F38, Prefix.Size, 0x13, to, 0, from);

    /// <summary>register = value, with its sign.</summary>
    public void Set(Register register, int value)
    {
        Rex(0, register);
        _code.AddRange([0xC7, ModRegister(0, (int)register)]);
        Immediate(value);
    }

    /// <summary>register += value; <see cref="JumpUnlessZero"/> or <see cref="JumpIfZero"/> may follow.</summary>
    public void Add(Register register, int value)
    {
        Rex(0, register);
        _code.AddRange([0x81, ModRegister(0, (int)register)]);
        Immediate(value);
    }

    /// <summary>to = from.</summary>
    public void Move(Register to, Register from)
    {
        Rex(from, to);
        _code.AddRange([0x89, ModRegister((int)from, (int)to)]);
    }

    /// <summary>register = 8 bytes at the address.</summary>
    public void Load(Register register, Address from)
    {
        _code.AddRange([(byte)(0x48 | (((int)register >> 3) << 2) | (((int)from.Index >> 3) << 1) | ((int)from.Base >> 3)), 0x8B, (byte)(0x84 | (Low(register) << 3)), (byte)((Low(from.Index) << 3) | Low(from.Base))]);
        Immediate(from.Displacement);
    }

    /// <summary>Asks for the line at the address to be brought to the first-level cache.</summary>
    public void Prefetch(Address from)
    {
        _code.AddRange([(byte)(0x40 | (((int)from.Index >> 3) << 1) | ((int)from.Base >> 3)), 0x0F, 0x18, 0x8C, (byte)((Low(from.Index) << 3) | Low(from.Base))]);
        Immediate(from.Displacement);
    }

    /// <summary>register *= value.</summary>
    public void Multiply(Register register, int value)
    {
        Rex(register, register);
        _code.AddRange([0x69, ModRegister((int)register, (int)register)]);
        Immediate(value);
    }

    /// <summary>to += from.</summary>
    public void Add(Register to, Register from)
    {
        Rex(from, to);
        _code.AddRange([0x01, ModRegister((int)from, (int)to)]);
    }

    /// <summary>Jumps to a place.</summary>
    public void Jump(int target)
    {
        _code.Add(0xE9);
        Immediate(target - (_code.Count + sizeof(int)));
    }

    /// <summary>Jumps, if the register that <see cref="Add(Register, int)"/> just changed reached 0, to where <see cref="Land"/> is called with the result.</summary>
    public int JumpIfZero()
    {
        _code.AddRange([0x0F, 0x84]);
        Immediate(0);
        return _code.Count;
    }

    /// <summary>Lets a jump end here.</summary>
    public void Land(int jump)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, _code.Count - jump);
        for (var i = 0; i < bytes.Length; i++)
        {
            _code[jump - bytes.Length + i] = bytes[i];
        }
    }

    /// <summary>Jumps to a place unless the register that <see cref="Add(Register, int)"/> just changed reached 0.</summary>
    public void JumpUnlessZero(int target)
    {
        _code.AddRange([0x0F, 0x85]);
        Immediate(target - (_code.Count + sizeof(int)));
    }

    /// <summary>Clears the upper halves, which would slow down code that follows without AVX, and returns.</summary>
    public void Return() => _code.AddRange([0xC5, 0xF8, 0x77, 0xC3]);

    private void Shuffle(int to, int left, int right, byte picks)
    {
        Evex(Map.Escape0F, Prefix.None, 0xC6, to, left, right);
        _code.Add(picks);
    }

    private void Evex(Map map, Prefix prefix, byte operation, int register, int first, Address memory)
    {
        EvexPrefix(map, prefix, register, first, extraIndex: (int)memory.Index >> 3, extraBase: (int)memory.Base >> 3);
        _code.AddRange([operation, (byte)(0x84 | ((register & 7) << 3)), (byte)((Low(memory.Index) << 3) | Low(memory.Base))]);
        Immediate(memory.Displacement);
    }

    private void Evex(Map map, Prefix prefix, byte operation, int register, int first, int second)
    {
        EvexPrefix(map, prefix, register, first, extraIndex: second >> 4, extraBase: second >> 3);
        _code.AddRange([operation, ModRegister(register, second)]);
    }

    // 62, then R X B R' 00mm, then W vvvv 1 pp, then z L'L b V' aaa; the register bits are stored inverted, L'L = 10 means 512 bits.
    private void EvexPrefix(Map map, Prefix prefix, int register, int first, int extraIndex, int extraBase)
    {
        var registers = (Inverted(register >> 3) << 7) | (Inverted(extraIndex) << 6) | (Inverted(extraBase) << 5) | (Inverted(register >> 4) << 4);
        _code.AddRange([0x62, (byte)(registers | (int)map), (byte)(((~first & 15) << 3) | 4 | (int)prefix), (byte)(0x40 | (Inverted(first >> 4) << 3))]);
    }

    private void Rex(Register register, Register other) => _code.Add((byte)(0x48 | (((int)register >> 3) << 2) | ((int)other >> 3)));

    private void Immediate(int value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        _code.AddRange(bytes);
    }

    private static byte ModRegister(int register, int other) => (byte)(0xC0 | ((register & 7) << 3) | (other & 7));

    private static int Low(Register register) => (int)register & 7;

    private static int Inverted(int bit) => (bit & 1) ^ 1;

    private enum Map
    {
        Escape0F = 1,
        Escape0F38 = 2,
    }

    private enum Prefix
    {
        None = 0,
        Size = 1,
        RepeatF3 = 2,
    }
}

/// <summary>[Base + Index + Displacement].</summary>
internal readonly record struct Address(Register Base, Register Index = Register.None, int Displacement = 0);

/// <summary>General registers that the System V calling convention lets a callee change, by their number; Rdi, Rsi, Rdx, Rcx, R8 and R9 hold the arguments.</summary>
internal enum Register
{
    Rax = 0,
    Rcx = 1,
    Rdx = 2,

    /// <summary>As an index: no index. The stack pointer otherwise, which is not ours.</summary>
    None = 4,
    Rsi = 6,
    Rdi = 7,
    R8 = 8,
    R9 = 9,
    R10 = 10,
    R11 = 11,
}
