using CsCheck;
using LlavaCluster.Model.Kernels;
using LlavaCluster.Model.Kernels.Products;

namespace LlavaCluster.Model.Tests.Kernels.Products;

public sealed class ProductKernelTests
{
    private static readonly Gen<ProductShape> Shapes =
        from rows in Gen.Int[1, 14]
        from inputs in Gen.Int[1, 9]
        from outputs in Gen.Int[1, 4]
        from seed in Gen.Int
        select new ProductShape(rows, inputs * ProductKernel.InputMultiple, outputs * ProductKernel.OutputMultiple, seed);

    public static TheoryData<string, string> Kernels => new MatrixTheoryData<string, string>(["bfloat16", "float32"], ["portable", "machine code"]);

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Multiply_OfAnyShape_EqualsTheSumInDouble(string type, string kernel) => Shapes.Sample(shape =>
    {
        using var problem = Create(type, kernel, shape);

        // A float32 sum of n products is off by at most about n roundings of the sum of magnitudes.
        return problem.Run(shape.Rows, 0, add: false).Zip(problem.Expected()).All(pair => Math.Abs(pair.First - pair.Second) <= 1e-6 * shape.Inputs);
    });

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Multiply_OfARowAlone_IsBitEqualToTheRowInABatch(string type, string kernel) => Shapes.Sample(shape =>
    {
        using var problem = Create(type, kernel, shape);
        var together = problem.Run(shape.Rows, 0, add: false);

        return Enumerable.Range(0, shape.Rows).All(row =>
            problem.Run(1, row, add: false).AsSpan(0, shape.Outputs).SequenceEqual(together.AsSpan(row * shape.Outputs, shape.Outputs)));
    });

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Multiply_ThatAdds_LeavesTheSum(string type, string kernel)
    {
        using var problem = Create(type, kernel, new ProductShape(7, 64, 32, 3));
        var product = problem.Run(7, 0, add: false);

        var added = problem.Run(7, 0, add: true);

        Assert.All(product.Zip(added), pair => Assert.Equal(pair.First + IProductProblem.Before, pair.Second));
    }

    private static IProductProblem Create(string type, string kernel, ProductShape shape) => (type, kernel) switch
    {
        ("bfloat16", "portable") => new ProductProblem<BFloat16Element, ushort>(new PortableKernel<BFloat16Element, ushort>(shape.Inputs), shape),
        ("float32", "portable") => new ProductProblem<Float32Element, float>(new PortableKernel<Float32Element, float>(shape.Inputs), shape),
        ("bfloat16", _) => new ProductProblem<BFloat16Element, ushort>(MachineCode<ushort>(shape.Inputs), shape),
        _ => new ProductProblem<Float32Element, float>(MachineCode<float>(shape.Inputs), shape),
    };

    private static DotTileKernel<T> MachineCode<T>(int inputs)
        where T : unmanaged
    {
        Assert.SkipUnless(DotTileKernel<T>.IsSupported, $"This processor lacks the instructions for {typeof(T).Name}.");
        return new DotTileKernel<T>(inputs);
    }
}
