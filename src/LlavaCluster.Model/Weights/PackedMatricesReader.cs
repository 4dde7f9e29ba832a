using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels.Products;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Weights;

/// <summary>Finds the packed matrices among a checkpoint's tensors.</summary>
internal static unsafe class PackedMatricesReader
{
    /// <summary>
    /// Takes the packed tensors out and puts in the matrices they stand for, without numbers. A table that is both embedding and head is held both ways and stays plain.
    /// Null where nothing is packed.
    /// </summary>
    /// <exception cref="CheckpointException">They are of two formats, of no matrix's shape, or of no matrix that kernels read.</exception>
    public static PackedMatrices? Take(string folder, LlavaConfig config, Dictionary<string, CheckpointTensor> tensors)
    {
        var packed = tensors.Select(entry => (entry.Key, Tensor: entry.Value, Packed: PackedTensor.Parse(entry.Key))).Where(entry => entry.Packed is not null).ToList();
        if (packed.Count == 0)
        {
            return null;
        }

        var plan = TensorPlan.For(config).ToDictionary(planned => planned.Name, StringComparer.Ordinal);
        var format = packed[0].Packed!.Format;
        var addresses = new Dictionary<string, nint>(StringComparer.Ordinal);
        foreach (var (key, tensor, of) in packed)
        {
            var name = tensor.Info.Name;
            if (of!.Format != format)
            {
                throw new CheckpointException(folder, name, $"is packed in {of.Format}, others in {format}.");
            }

            if (!plan.TryGetValue(of.Matrix, out var planned) || !PackedTensor.IsMatrix(config.Text, of.Matrix, planned.Shape.Count))
            {
                throw new CheckpointException(folder, name, "is none of the language model's matrices, and only those are packed.");
            }

            if (of.MatrixShape(tensor.Info) is not { } shape || !shape.SequenceEqual(planned.Shape))
            {
                throw new CheckpointException(folder, name, $"must be a matrix {TensorInfo.Print(planned.Shape)} packed in {format}, bytes of shape {TensorInfo.Print(PackedTensor.ShapeOf(format, planned.Shape[0], planned.Shape[1]))}; was {tensor.Info.ShapeText} of {tensor.Info.Type}.");
            }

            tensors.Remove(key);
            tensors.TryAdd(of.Matrix, new CheckpointTensor(new TensorInfo(name, ScalarType.BFloat16, shape), () => throw new CheckpointException(folder, name, $"is packed in {format}: only the CPU's kernels read it."), IsPacked: true));
            addresses.Add(of.Matrix, Address(folder, name, tensor));
        }

        return new PackedMatrices(format, addresses);
    }

    private static nint Address(string folder, string name, CheckpointTensor tensor)
    {
        using var view = tensor.View();
        return view.is_contiguous() ? (nint)TensorMemory.Address(view) : throw new CheckpointException(folder, name, "must be stored row by row.");
    }
}
