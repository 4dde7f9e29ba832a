using System.Text;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Weights;

/// <summary>
/// A <c>.bin</c> / <c>.pt</c> file as <c>torch.save</c> has written it since PyTorch 1.6: a zip of <c>data.pkl</c> and one member per storage.
/// Tensors are views of the mapped file. The pickle is read by <see cref="PickleReader"/>: it builds tensors only, and no code of the file runs.
/// </summary>
internal sealed unsafe class TorchArchive : ITensorFile
{
    private const string PickleName = "data.pkl";

    private readonly MappedFile _file;
    private readonly Dictionary<string, (PickleTensor Tensor, long Offset)> _tensors;

    private TorchArchive(string path, MappedFile file, Dictionary<string, (PickleTensor Tensor, long Offset)> tensors)
    {
        Path = path;
        _file = file;
        _tensors = tensors;
        Tensors = tensors.ToDictionary(entry => entry.Key, entry => new TensorInfo(entry.Key, entry.Value.Tensor.Storage.Type, entry.Value.Tensor.Shape), StringComparer.Ordinal);
    }

    public string Path { get; }

    public IReadOnlyDictionary<string, TensorInfo> Tensors { get; }

    public static TorchArchive Open(string path)
    {
        var file = MappedFile.Open(path);
        try
        {
            var members = ZipDirectory.Read(path, file);
            var pickle = members.Keys.Where(name => name == PickleName || name.EndsWith("/" + PickleName, StringComparison.Ordinal)).ToArray();
            if (pickle.Length != 1)
            {
                throw new CheckpointException(path, $"must hold one {PickleName}; it holds {pickle.Length}.");
            }

            var folder = pickle[0][..^PickleName.Length];
            RequireLittleEndian(path, file, members, folder + "byteorder");
            var (offset, length) = members[pickle[0]];
            var code = length <= int.MaxValue ? file.Span(offset, (int)length) : throw new CheckpointException(path, $"its {PickleName} is {length} bytes long; the bound is {int.MaxValue}.");
            var tensors = new Dictionary<string, (PickleTensor, long)>(StringComparer.Ordinal);
            foreach (var (name, tensor) in PickleReader.ReadState(path, code))
            {
                tensors.Add(name, (tensor, Locate(path, name, tensor, members, folder)));
            }

            return new TorchArchive(path, file, tensors);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public Tensor View(string name)
    {
        if (!_tensors.TryGetValue(name, out var entry))
        {
            throw new CheckpointException(Path, name, "is not in the file.");
        }

        return TensorMemory.View(_file.Start + entry.Offset, entry.Tensor.Storage.Type, entry.Tensor.Shape, entry.Tensor.Strides);
    }

    public void Forget() => _file.Forget();

    public void Dispose() => _file.Dispose();

    private static void RequireLittleEndian(string path, MappedFile file, Dictionary<string, (long Offset, long Length)> members, string name)
    {
        if (members.TryGetValue(name, out var order) && !file.Span(order.Offset, (int)Math.Min(order.Length, 16)).SequenceEqual("little"u8))
        {
            throw new CheckpointException(path, $"its byteorder must be 'little'; was '{CheckpointException.Printable(Encoding.UTF8.GetString(file.Span(order.Offset, (int)Math.Min(order.Length, 16))))}'.");
        }
    }

    // The file offset of the tensor's first element, after its whole window is known to lie inside its storage.
    private static long Locate(string path, string name, PickleTensor tensor, Dictionary<string, (long Offset, long Length)> members, string folder)
    {
        var storage = tensor.Storage;
        var size = TensorMemory.ElementSize(storage.Type);
        if (!members.TryGetValue($"{folder}data/{storage.Key}", out var member))
        {
            throw new CheckpointException(path, name, $"lies in storage '{CheckpointException.Printable(storage.Key)}', which the archive does not hold.");
        }

        if (storage.Count > member.Length / size)
        {
            throw new CheckpointException(path, name, $"lies in a storage of {storage.Count} elements; its member holds {member.Length / size}.");
        }

        if (tensor.Shape.Length != tensor.Strides.Length || tensor.Offset < 0 || tensor.Shape.Any(extent => extent < 0) || tensor.Strides.Any(stride => stride < 0))
        {
            throw new CheckpointException(path, name, $"has shape {TensorInfo.Print(tensor.Shape)}, strides {TensorInfo.Print(tensor.Strides)} and offset {tensor.Offset}, which do not fit together.");
        }

        Int128 last = tensor.Offset, count = tensor.Shape.Contains(0) ? 0 : 1;
        for (var axis = 0; axis < tensor.Shape.Length && count <= storage.Count; axis++)
        {
            count *= tensor.Shape[axis];
            last += (Int128)Math.Max(0, tensor.Shape[axis] - 1) * tensor.Strides[axis];
        }

        return count == 0 || (count <= storage.Count && last < storage.Count)
            ? member.Offset + (count == 0 ? 0 : tensor.Offset * size)
            : throw new CheckpointException(path, name, $"has shape {TensorInfo.Print(tensor.Shape)}, strides {TensorInfo.Print(tensor.Strides)} and offset {tensor.Offset}, which reach outside its storage of {storage.Count} elements.");
    }
}
