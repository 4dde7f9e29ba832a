namespace LlavaCluster.Model.Kernels.Products;

/// <summary>
/// y = x Wᵀ with W [outputs, inputs] as it lies in a checkpoint, row by row: one sequential stream through the weights, no copy of them. Every element of y is summed over
/// the inputs in the same order whatever the number of rows, so a row's result does not depend on its batch. Sums are float32 whatever the elements. Thread-safe.
/// </summary>
internal unsafe interface IProductKernel<T>
    where T : unmanaged
{
    /// <param name="x">[rows, inputs].</param>
    /// <param name="weights">[outputs, inputs].</param>
    /// <param name="outputs">A multiple of <see cref="ProductKernel.OutputMultiple"/>.</param>
    /// <param name="y">[rows, outputs] float32 with <paramref name="stride"/> floats from row to row.</param>
    /// <param name="add">Whether the product is added to what y holds: the residual stream.</param>
    void Multiply(T* x, int rows, T* weights, int outputs, float* y, nint stride, bool add);
}
