namespace LlavaCluster.Model.Kernels.Adapters;

/// <summary>The second product of one projection, y += B low. Reads memory of its <see cref="LowRank"/>; safe from several threads.</summary>
internal unsafe interface IExpansion
{
    /// <param name="first">Of the projection's outputs; a multiple of 32.</param>
    /// <param name="count">A multiple of 16.</param>
    /// <param name="low">[rows, rank] with <paramref name="lowStride"/> floats from row to row.</param>
    /// <param name="y">[rows, stride]: output <paramref name="first"/> of row 0.</param>
    void Add(int first, int count, float* low, nint lowStride, int rows, float* y, nint stride);
}
