namespace LlavaCluster.Model.Kernels.Products;

/// <summary>[Outputs, kernel's inputs] in the kernel's format, in memory that belongs to others. Threads share a product by chunks of outputs.</summary>
internal readonly unsafe record struct Matrix(nint Address, int Outputs, IProductKernel Kernel)
{
    private const int ChunkBytes = 256 << 10; // fits a core's second-level cache beside the rows
    private const int FewestChunks = 8; // where there are so many blocks: the threads end at about the same time

    public long Bytes => (long)Outputs * Kernel.OutputBytes;

    /// <summary>Parts that a product is shared in.</summary>
    public int Chunks => (Outputs + ChunkOutputs - 1) / ChunkOutputs;

    /// <summary>Outputs of a chunk; the last may have fewer.</summary>
    public int ChunkOutputs => Math.Max(Math.Min(ChunkBytes / Kernel.OutputBytes, Outputs / FewestChunks) / ProductKernel.InputMultiple, 1) * ProductKernel.InputMultiple;

    /// <summary>The outputs of one chunk; the first is a multiple of <see cref="ProductKernel.InputMultiple"/>, so that they can be inputs of the next product.</summary>
    public (int First, int Count) Chunk(int chunk)
    {
        var first = chunk * ChunkOutputs;
        return (first, Math.Min(ChunkOutputs, Outputs - first));
    }

    /// <param name="output">A multiple of <see cref="ProductKernel.OutputMultiple"/>.</param>
    public byte* Row(int output) => (byte*)Address + ((nint)output * Kernel.OutputBytes);

    /// <summary>One chunk of the product of rows of x, to its place in y.</summary>
    /// <param name="y">[rows, stride]: output 0 of row 0.</param>
    public void Multiply(int chunk, byte* x, int rows, float* y, nint stride, bool add)
    {
        var (first, count) = Chunk(chunk);
        Kernel.Multiply(x, rows, Row(first), count, y + first, stride, add);
    }
}
