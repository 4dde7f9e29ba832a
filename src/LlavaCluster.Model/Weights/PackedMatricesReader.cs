using LlavaCluster.Model.Kernels.Products;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Weights;

/// <summary>Finds the packed matrices among a checkpoint's tensors.</summary>
internal static unsafe class PackedMatricesReader
{
    /// <summary>
    /// Takes the packed tensors out and puts in the matrices they stand for, without numbers, where the checkpoint does not also hold them plain (a table that is both the
    /// embedding and the head is held both ways). Null where nothing is packed.
    /// </summary>
    /// <exception cref="CheckpointException">They are of two formats, or of no matrix's shape.</exception>
    public static PackedMatrices? Take(string folder, Dictionary<string, CheckpointTensor> tensors)
    {
        var packed = tensors.Select(entry => (entry.Key, Tensor: entry.Value, Packed: PackedTensor.Parse(entry.Key))).Where(entry => entry.Packed is not null).ToList();
        if (packed.Count == 0)
        {
            return null;
        }

        var format = packed[0].Packed!.Format;
        var addresses = new Dictionary<string, nint>(StringComparer.Ordinal);
        foreach (var (key, tensor, of) in packed)
        {
            if (of!.Format != format)
            {
                throw new CheckpointException(folder, tensor.Info.Name, $"is packed in {of.Format}, others in {format}.");
            }

            var shape = of.MatrixShape(tensor.Info) ?? throw new CheckpointException(folder, tensor.Info.Name, $"is no matrix packed in {format}: it has shape {tensor.Info.ShapeText} of {tensor.Info.Type}.");
            tensors.Remove(key);
            tensors.TryAdd(of.Matrix, new CheckpointTensor(new TensorInfo(tensor.Info.Name, ScalarType.BFloat16, shape), () => Place(shape), IsPacked: true));
            using var view = tensor.View();
            addresses.Add(of.Matrix, (nint)TensorMemory.Address(view));
        }

        return new PackedMatrices(format, addresses);
    }

    private static Tensor Place(long[] shape)
    {
        using var zero = zeros(1, ScalarType.BFloat16);
        return zero.expand(shape);
    }
}
