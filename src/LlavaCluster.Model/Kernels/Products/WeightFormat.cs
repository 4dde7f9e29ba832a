namespace LlavaCluster.Model.Kernels.Products;

/// <summary>How the language model's matrices lie in memory.</summary>
public enum WeightFormat
{
    /// <summary>4 bytes a weight.</summary>
    Float32,

    /// <summary>2 bytes a weight.</summary>
    BFloat16,

    /// <summary>8 bits a weight, and a scale for every 32: 1.06 bytes a weight.</summary>
    Q8,

    /// <summary>4 bits a weight, and a scale for every 32: 0.56 bytes a weight.</summary>
    Q4,
}
