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
    private static readonly object Mark = new();

    private readonly string _path;
    private readonly ReadOnlySpan<byte> _code;
    private readonly List<object?> _stack = [];
    private readonly Dictionary<long, object?> _memo = [];
    private int _at;

    private PickleReader(string path, ReadOnlySpan<byte> code)
    {
        _path = path;
        _code = code;
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
                return Pop();
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
                Push(null);
                return true;
            case 0x88 or 0x89: // NEWTRUE, NEWFALSE
                Push(opcode == 0x88);
                return true;
            case (byte)'K':
                Push((long)Take(1)[0]);
                return true;
            case (byte)'M':
                Push((long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2)));
                return true;
            case (byte)'J':
                Push((long)BinaryPrimitives.ReadInt32LittleEndian(Take(4)));
                return true;
            case 0x8a: // LONG1
                var digits = new BigInteger(Take(Take(1)[0]));
                Push(digits >= long.MinValue && digits <= long.MaxValue ? (long)digits : throw Broken("holds an integer of more than 64 bits"));
                return true;
            case (byte)'G':
                Push(BinaryPrimitives.ReadDoubleBigEndian(Take(8)));
                return true;
            case (byte)'X': // BINUNICODE
                Push(Encoding.UTF8.GetString(Take(BinaryPrimitives.ReadInt32LittleEndian(Take(4)))));
                return true;
            case 0x8c: // SHORT_BINUNICODE
                Push(Encoding.UTF8.GetString(Take(Take(1)[0])));
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
                Push(Mark);
                return true;
            case (byte)'}':
                Push(new Dictionary<string, object?>(StringComparer.Ordinal));
                return true;
            case (byte)']':
                Push(new List<object?>());
                return true;
            case (byte)')':
                Push(Array.Empty<object?>());
                return true;
            case (byte)'t':
                Push(PopToMark());
                return true;
            case 0x85 or 0x86 or 0x87: // TUPLE1..3
                Push(PopMany(opcode - 0x84));
                return true;
            case (byte)'a':
                var item = Pop();
                Top<List<object?>>().Add(item);
                return true;
            case (byte)'e':
                var items = PopToMark();
                Top<List<object?>>().AddRange(items);
                return true;
            case (byte)'s':
                SetItems(PopMany(2));
                return true;
            case (byte)'u':
                SetItems(PopToMark());
                return true;
            case (byte)'c': // GLOBAL
                var module = Line();
                Push(PickleGlobals.Find(_path, module, Line()));
                return true;
            case 0x93: // STACK_GLOBAL
                var named = PopMany(2);
                Push(PickleGlobals.Find(_path, As<string>(named[0]), As<string>(named[1])));
                return true;
            case (byte)'R':
                var call = PopMany(2);
                Push(Call(As<PickleGlobal>(call[0]), As<object?[]>(call[1])));
                return true;
            case (byte)'b': // BUILD: a state dictionary's _metadata, which says nothing about the tensors.
                _ = As<Dictionary<string, object?>>(Pop());
                _ = Top<Dictionary<string, object?>>();
                return true;
            case (byte)'Q':
                Push(PersistentStorage(As<object?[]>(Pop())));
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
                _memo[Take(1)[0]] = Peek();
                return true;
            case (byte)'r':
                _memo[BinaryPrimitives.ReadUInt32LittleEndian(Take(4))] = Peek();
                return true;
            case 0x94: // MEMOIZE
                _memo[_memo.Count] = Peek();
                return true;
            case (byte)'h':
                Push(Recall(Take(1)[0]));
                return true;
            case (byte)'j':
                Push(Recall(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))));
                return true;
            default:
                return false;
        }
    }

    private object? Call(PickleGlobal global, object?[] arguments) => global.Callable switch
    {
        PickleCallable.OrderedDictionary when arguments.Length == 0 => new Dictionary<string, object?>(StringComparer.Ordinal),
        PickleCallable.RebuildParameter when arguments.Length is 2 or 3 => As<PickleTensor>(arguments[0]),
        PickleCallable.Size when arguments.Length == 1 => As<object?[]>(arguments[0]),
        PickleCallable.RebuildTensor when arguments.Length is >= 4 and <= 7 =>
            new PickleTensor(As<PickleStorage>(arguments[0]), As<long>(arguments[1]), Counts(arguments[2]), Counts(arguments[3])),
        _ => throw Broken($"calls {global.Callable} with {arguments.Length} arguments"),
    };

    private PickleStorage PersistentStorage(object?[] id) =>
        id is ["storage", PickleGlobal { Callable: PickleCallable.Storage } type, string key, string, long count] && count >= 0
            ? new PickleStorage(type.StorageType, key, count)
            : throw Broken("refers to something other than a storage");

    private void SetItems(object?[] items)
    {
        var target = Top<Dictionary<string, object?>>();
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
        var values = As<object?[]>(tuple);
        if (values.Length > TensorInfo.MostDimensions)
        {
            throw Broken($"holds a shape of {values.Length} dimensions; the bound is {TensorInfo.MostDimensions}");
        }

        var counts = new long[values.Length];
        for (var index = 0; index < counts.Length; index++)
        {
            counts[index] = As<long>(values[index]);
        }

        return counts;
    }

    private readonly void Push(object? value) => _stack.Add(value);

    private readonly object? Peek() => _stack.Count > 0 ? _stack[^1] : throw Broken("takes from an empty stack");

    private readonly object? Pop()
    {
        var value = Peek();
        _stack.RemoveAt(_stack.Count - 1);
        return value;
    }

    private readonly object?[] PopMany(int count)
    {
        if (_stack.Count < count)
        {
            throw Broken("takes from an empty stack");
        }

        var values = _stack.GetRange(_stack.Count - count, count).ToArray();
        _stack.RemoveRange(_stack.Count - count, count);
        return values;
    }

    private readonly object?[] PopToMark()
    {
        var mark = _stack.LastIndexOf(Mark);
        if (mark < 0)
        {
            throw Broken("closes a group that it never opened");
        }

        var values = PopMany(_stack.Count - mark - 1);
        _ = Pop();
        return values;
    }

    private readonly T Top<T>() => As<T>(Peek());

    private readonly T As<T>(object? value) => value is T typed ? typed : throw Broken($"holds {value?.GetType().Name ?? "None"} where {typeof(T).Name} belongs");

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

    private readonly CheckpointException Broken(string reason) => new(_path, $"its pickle {reason}.");
}
