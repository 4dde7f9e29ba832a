namespace LlavaCluster.Model.Kernels.Products;

/// <summary>
/// y = x Wᵀ with W [outputs, inputs] in one format, row after row or block after block: one sequential stream through the weights. Rows of x lie in a form of the
/// kernel's own, which <see cref="Store"/> writes. Every element of y is summed over the inputs in the same order whatever the number of rows, so a row's result does
/// not depend on its batch. Sums are float32 whatever the format. Thread-safe.
/// </summary>
internal unsafe interface IProductKernel
{
    int Inputs { get; }

    /// <summary>Bytes of one row of x.</summary>
    int RowBytes { get; }

    /// <summary>Bytes of one output's weights; a block of <see cref="ProductKernel.OutputMultiple"/> outputs takes so many times more.</summary>
    int OutputBytes { get; }

    /// <summary>Puts count numbers into a row of x, from input first on; both are multiples of <see cref="ProductKernel.InputMultiple"/>, with zeros behind the last input.</summary>
    void Store(float* values, byte* row, int first, int count);

    /// <param name="x">[rows], <see cref="RowBytes"/> each.</param>
    /// <param name="rows">At least 1.</param>
    /// <param name="weights">[outputs], <see cref="OutputBytes"/> each.</param>
    /// <param name="outputs">A multiple of <see cref="ProductKernel.OutputMultiple"/>.</param>
    /// <param name="y">[rows, outputs] float32 with <paramref name="stride"/> floats from row to row.</param>
    /// <param name="stride">At least outputs.</param>
    /// <param name="add">Whether the product is added to what y holds: the residual stream.</param>
    void Multiply(byte* x, int rows, byte* weights, int outputs, float* y, nint stride, bool add);
}
