using System.Buffers.Binary;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Weights;

/// <summary>Reads a safetensors file front to back, for tensors that already have a place; for one on disk, <see cref="SafetensorsFile"/> maps it.</summary>
public static unsafe class SafetensorsStream
{
    private const int ChunkBytes = 64 << 20;

    /// <summary>Fills the tensors, which must be contiguous, on the CPU, and exactly those of the stream: names, shapes and types. Where the data ends early some are already filled.</summary>
    /// <param name="name">What messages call the stream.</param>
    /// <param name="check">Sees the header's strings before anything is filled; throws to refuse the file.</param>
    /// <exception cref="CheckpointException">The stream is no safetensors file, ends early, or holds other tensors.</exception>
    public static void Fill(Stream stream, string name, IReadOnlyDictionary<string, Tensor> tensors, Action<IReadOnlyDictionary<string, string>>? check = null)
    {
        try
        {
            Span<byte> length = stackalloc byte[sizeof(ulong)];
            stream.ReadExactly(length);
            var size = BinaryPrimitives.ReadUInt64LittleEndian(length);
            if (size > SafetensorsHeader.LongestHeader)
            {
                throw new CheckpointException(name, $"says its header is {size} bytes long; the bound is {SafetensorsHeader.LongestHeader} bytes.");
            }

            var header = new byte[size];
            stream.ReadExactly(header);
            var bytes = tensors.Values.Sum(tensor => tensor.numel() * TensorMemory.ElementSize(tensor.dtype));
            var (entries, metadata) = SafetensorsHeader.Parse(name, header, bytes);
            Require(name, entries, tensors);
            check?.Invoke(metadata);
            foreach (var entry in entries.Values.OrderBy(entry => entry.Offset))
            {
                Fill(stream, tensors[entry.Info.Name], entry.Length);
            }
        }
        catch (EndOfStreamException exception)
        {
            throw new CheckpointException(name, "ends before its last tensor.", exception);
        }
    }

    private static void Require(string name, Dictionary<string, SafetensorsEntry> entries, IReadOnlyDictionary<string, Tensor> tensors)
    {
        foreach (var (tensor, value) in tensors)
        {
            if (!entries.TryGetValue(tensor, out var entry))
            {
                throw new CheckpointException(name, tensor, "is not in the file.");
            }

            if (!entry.Info.Shape.SequenceEqual(value.shape) || entry.Info.Type != value.dtype)
            {
                throw new CheckpointException(name, tensor, $"must be {value.dtype} {TensorInfo.Print(value.shape)}; was {entry.Info.Type} {entry.Info.ShapeText}.");
            }
        }

        if (entries.Keys.FirstOrDefault(entry => !tensors.ContainsKey(entry)) is { } extra)
        {
            throw new CheckpointException(name, extra, "is not expected here.");
        }
    }

    private static void Fill(Stream stream, Tensor tensor, long left)
    {
        if (left == 0)
        {
            return;
        }

        for (var data = TensorMemory.Address(tensor); left > 0;)
        {
            var chunk = (int)Math.Min(left, ChunkBytes);
            stream.ReadExactly(new Span<byte>(data, chunk));
            data += chunk;
            left -= chunk;
        }
    }
}
