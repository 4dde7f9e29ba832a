using LlavaCluster.Model.Kernels.Products;

namespace LlavaCluster.Model.Weights;

/// <summary>The matrices of a checkpoint that are stored as the CPU's kernels read them, in 8 or 4 bits a weight. They lie in the mapped file, which must outlive this. Immutable.</summary>
public sealed class PackedMatrices
{
    private readonly IReadOnlyDictionary<string, nint> _addresses;

    internal PackedMatrices(WeightFormat format, IReadOnlyDictionary<string, nint> addresses)
    {
        Format = format;
        _addresses = addresses;
    }

    public WeightFormat Format { get; }

    /// <summary>Where the matrix of this name of ours begins; null where it is not packed.</summary>
    internal nint? Find(string name) => _addresses.TryGetValue(name, out var address) ? address : null;
}
