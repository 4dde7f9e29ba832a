using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace LlavaCluster.Model.Weights;

/// <summary>
/// A pickle machine that can only build dictionaries, lists, tuples, plain values and descriptions of tensors. It has the opcodes that
/// <c>torch.save</c> writes for a state dictionary; any other opcode, and any name outside <see cref="PickleGlobals"/>, is refused.
/// </summary>
/// <remarks>Opcodes: Python's <c>Lib/pickletools.py</c>. The machine does not recurse, and what it builds is bounded by the length of its input.</remarks>
internal ref struct PickleReader
{
    private readonly string _path;
    private readonly ReadOnlySpan<byte> _code;
    private readonly PickleStack _stack;
    private readonly Dictionary<long, object?> _memo = [];
    private int _at;

    private PickleReader(string path, ReadOnlySpan<byte> code)
    {
        _path = path;
        _code = code;
        _stack = new PickleStack(path);
    }

    /// <summary>The tensors of a pickled state dictionary, by name.</summary>
    public static Dictionary<string, PickleTensor> ReadState(string path, ReadOnlySpan<byte> code)
    {
        if (new PickleReader(path, code).Run() is not Dictionary<string, object?> state)
        {
            throw new CheckpointException(path, "does not hold a dictionary of tensors.");
        }

        var tensors = new Dictionary<string, PickleTensor>(StringComparer.Ordinal);
        foreach (var (key, value) in state)
        {
            tensors.Add(key, value as PickleTensor ?? throw new CheckpointException(path, $"the entry '{CheckpointException.Printable(key)}' is not a tensor."));
        }

        return tensors;
    }

    private object? Run()
    {
        while (true)
        {
            var opcode = Take(1)[0];
            if (opcode == (byte)'.')
            {
                return _stack.Pop();
            }

            if (!Constant(opcode) && !Structure(opcode) && !Memo(opcode))
            {
                throw Broken($"uses opcode 0x{opcode:x2}, which tensor files do not need");
            }
        }
    }

    private bool Constant(byte opcode)
    {
        switch (opcode)
        {
            case 0x80: // PROTO
                _ = Take(1);
                return true;
            case 0x95: // FRAME
                _ = Take(8);
                return true;
            case (byte)'N':
                _stack.Push(null);
                return true;
            case 0x88 or 0x89: // NEWTRUE, NEWFALSE
                _stack.Push(opcode == 0x88);
                return true;
            case (byte)'K':
                _stack.Push((long)Take(1)[0]);
                return true;
            case (byte)'M':
                _stack.Push((long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2)));
                return true;
            case (byte)'J':
                _stack.Push((long)BinaryPrimitives.ReadInt32LittleEndian(Take(4)));
                return true;
            case 0x8a: // LONG1
                var digits = new BigInteger(Take(Take(1)[0]));
                _stack.Push(digits >= long.MinValue && digits <= long.MaxValue ? (long)digits : throw Broken("holds an integer of more than 64 bits"));
                return true;
            case (byte)'G':
                _stack.Push(BinaryPrimitives.ReadDoubleBigEndian(Take(8)));
                return true;
            case (byte)'X': // BINUNICODE
                _stack.Push(Encoding.UTF8.GetString(Take(BinaryPrimitives.ReadInt32LittleEndian(Take(4)))));
                return true;
            case 0x8c: // SHORT_BINUNICODE
                _stack.Push(Encoding.UTF8.GetString(Take(Take(1)[0])));
                return true;
            default:
                return false;
        }
    }

    private bool Structure(byte opcode)
    {
        switch (opcode)
        {
            case (byte)'(':
                _stack.Mark();
                return true;
            case (byte)'}':
                _stack.Push(new Dictionary<string, object?>(StringComparer.Ordinal));
                return true;
            case (byte)']':
                _stack.Push(new List<object?>());
                return true;
            case (byte)')':
                _stack.Push(Array.Empty<object?>());
                return true;
            case (byte)'t':
                _stack.Push(_stack.PopToMark());
                return true;
            case 0x85 or 0x86 or 0x87: // TUPLE1..3
                _stack.Push(_stack.PopMany(opcode - 0x84));
                return true;
            case (byte)'a':
                var item = _stack.Pop();
                _stack.Top<List<object?>>().Add(item);
                return true;
            case (byte)'e':
                var items = _stack.PopToMark();
                _stack.Top<List<object?>>().AddRange(items);
                return true;
            case (byte)'s':
                SetItems(_stack.PopMany(2));
                return true;
            case (byte)'u':
                SetItems(_stack.PopToMark());
                return true;
            case (byte)'c': // GLOBAL
                var module = Line();
                _stack.Push(PickleGlobals.Find(_path, module, Line()));
                return true;
            case 0x93: // STACK_GLOBAL
                var named = _stack.PopMany(2);
                _stack.Push(PickleGlobals.Find(_path, _stack.As<string>(named[0]), _stack.As<string>(named[1])));
                return true;
            case (byte)'R':
                var call = _stack.PopMany(2);
                _stack.Push(Call(_stack.As<PickleGlobal>(call[0]), _stack.As<object?[]>(call[1])));
                return true;
            case (byte)'b': // BUILD: a state dictionary's _metadata, which says nothing about the tensors.
                _ = _stack.As<Dictionary<string, object?>>(_stack.Pop());
                _ = _stack.Top<Dictionary<string, object?>>();
                return true;
            case (byte)'Q':
                _stack.Push(PersistentStorage(_stack.As<object?[]>(_stack.Pop())));
                return true;
            default:
                return false;
        }
    }

    private bool Memo(byte opcode)
    {
        switch (opcode)
        {
            case (byte)'q':
                _memo[Take(1)[0]] = _stack.Peek();
                return true;
            case (byte)'r':
                _memo[BinaryPrimitives.ReadUInt32LittleEndian(Take(4))] = _stack.Peek();
                return true;
            case 0x94: // MEMOIZE
                _memo[_memo.Count] = _stack.Peek();
                return true;
            case (byte)'h':
                _stack.Push(Recall(Take(1)[0]));
                return true;
            case (byte)'j':
                _stack.Push(Recall(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))));
                return true;
            default:
                return false;
        }
    }

    private object? Call(PickleGlobal global, object?[] arguments) => global.Callable switch
    {
        PickleCallable.OrderedDictionary when arguments.Length == 0 => new Dictionary<string, object?>(StringComparer.Ordinal),
        PickleCallable.RebuildParameter when arguments.Length is 2 or 3 => _stack.As<PickleTensor>(arguments[0]),
        PickleCallable.Size when arguments.Length == 1 => _stack.As<object?[]>(arguments[0]),
        PickleCallable.RebuildTensor when arguments.Length is >= 4 and <= 7 =>
            new PickleTensor(_stack.As<PickleStorage>(arguments[0]), _stack.As<long>(arguments[1]), Counts(arguments[2]), Counts(arguments[3])),
        _ => throw Broken($"calls {global.Callable} with {arguments.Length} arguments"),
    };

    private PickleStorage PersistentStorage(object?[] id) =>
        id is ["storage", PickleGlobal { Callable: PickleCallable.Storage } type, string key, string, long count] && count >= 0
            ? new PickleStorage(type.StorageType, key, count)
            : throw Broken("refers to something other than a storage");

    private void SetItems(object?[] items)
    {
        var target = _stack.Top<Dictionary<string, object?>>();
        if (items.Length % 2 != 0)
        {
            throw Broken("sets a key without a value");
        }

        for (var index = 0; index < items.Length; index += 2)
        {
            target[items[index] as string ?? throw Broken("uses a key that is not text")] = items[index + 1];
        }
    }

    private long[] Counts(object? tuple)
    {
        var values = _stack.As<object?[]>(tuple);
        if (values.Length > TensorInfo.MostDimensions)
        {
            throw Broken($"holds a shape of {values.Length} dimensions; the bound is {TensorInfo.MostDimensions}");
        }

        var counts = new long[values.Length];
        for (var index = 0; index < counts.Length; index++)
        {
            counts[index] = _stack.As<long>(values[index]);
        }

        return counts;
    }

    private readonly object? Recall(long index) => _memo.TryGetValue(index, out var value) ? value : throw Broken($"recalls {index}, which it never kept");

    private string Line()
    {
        var end = _code[_at..].IndexOf((byte)'\n');
        var text = end >= 0 ? Encoding.UTF8.GetString(Take(end)) : throw Broken("ends inside a name");
        _ = Take(1);
        return text;
    }

    private ReadOnlySpan<byte> Take(int length)
    {
        if (length < 0 || length > _code.Length - _at)
        {
            throw Broken("ends too early");
        }

        _at += length;
        return _code.Slice(_at - length, length);
    }

    private readonly CheckpointException Broken(string reason) => PickleStack.Broken(_path, reason);
}
