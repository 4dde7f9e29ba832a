using static TorchSharp.torch;

namespace LlavaCluster.Model.Weights;

/// <summary>A name that a pickle asked for; only those of <see cref="PickleGlobals"/> ever become one.</summary>
internal sealed record PickleGlobal(PickleCallable Callable, ScalarType StorageType = ScalarType.Float32);

/// <summary>A storage of a PyTorch archive: the member <c>data/KEY</c>, read as <paramref name="Count"/> elements.</summary>
internal sealed record PickleStorage(ScalarType Type, string Key, long Count);

/// <summary>A tensor as the pickle describes it: a strided window of a storage, offsets in elements.</summary>
internal sealed record PickleTensor(PickleStorage Storage, long Offset, long[] Shape, long[] Strides);

internal enum PickleCallable
{
    OrderedDictionary,
    RebuildTensor,
    RebuildParameter,
    Size,
    Storage,
}

/// <summary>
/// Everything a weight file may name. Unpickling looks names up here and nowhere else, so a file can build dictionaries and tensors and do nothing more.
/// </summary>
internal static class PickleGlobals
{
    private static readonly Dictionary<string, PickleGlobal> Allowed = new(StringComparer.Ordinal)
    {
        ["collections.OrderedDict"] = new(PickleCallable.OrderedDictionary),
        ["torch._utils._rebuild_tensor_v2"] = new(PickleCallable.RebuildTensor),
        ["torch._utils._rebuild_parameter"] = new(PickleCallable.RebuildParameter),
        ["torch.Size"] = new(PickleCallable.Size),
        ["torch.DoubleStorage"] = new(PickleCallable.Storage, ScalarType.Float64),
        ["torch.FloatStorage"] = new(PickleCallable.Storage, ScalarType.Float32),
        ["torch.HalfStorage"] = new(PickleCallable.Storage, ScalarType.Float16),
        ["torch.BFloat16Storage"] = new(PickleCallable.Storage, ScalarType.BFloat16),
        ["torch.LongStorage"] = new(PickleCallable.Storage, ScalarType.Int64),
        ["torch.IntStorage"] = new(PickleCallable.Storage, ScalarType.Int32),
        ["torch.ShortStorage"] = new(PickleCallable.Storage, ScalarType.Int16),
        ["torch.CharStorage"] = new(PickleCallable.Storage, ScalarType.Int8),
        ["torch.ByteStorage"] = new(PickleCallable.Storage, ScalarType.Byte),
        ["torch.BoolStorage"] = new(PickleCallable.Storage, ScalarType.Bool),
    };

    public static PickleGlobal Find(string path, string module, string name) =>
        Allowed.TryGetValue($"{module}.{name}", out var global)
            ? global
            : throw new CheckpointException(path, $"asks for '{CheckpointException.Printable(module)}.{CheckpointException.Printable(name)}', which weights do not need; nothing was run. Only tensors and dictionaries are read.");
}
