using CsCheck;
using LlavaCluster.Model.Kernels.Products;

namespace LlavaCluster.Model.Tests.Kernels.Products;

public sealed class ProductKernelTests
{
    private static Gen<ProductShape> Shapes(WeightFormat format) =>
        from rows in Gen.Int[1, 14]
        from inputs in Gen.Frequency((4, Blocks(format, 1, 9)), (1, Blocks(format, 60, 150))) // some rows longer than a stretch
        from outputs in Gen.Int[1, 5]
        from seed in Gen.Int
        select new ProductShape(rows, inputs, outputs * ProductKernel.OutputMultiple, seed);

    // The last group of integers may be short, and be all there is.
    private static Gen<int> Blocks(WeightFormat format, int least, int most)
    {
        var whole = Gen.Int[least, most].Select(blocks => blocks * ProductKernel.InputMultiple);
        return ProductKernel.IsInteger(format)
            ? Gen.Select(whole, Gen.Int[0, (ProductKernel.InputMultiple / IntegerLayout.InputMultiple(format)) - 1], (inputs, missing) => inputs - (missing * IntegerLayout.InputMultiple(format)))
            : whole;
    }

    public static TheoryData<WeightFormat, bool> Kernels => new MatrixTheoryData<WeightFormat, bool>(Enum.GetValues<WeightFormat>(), [false, true]);

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Multiply_OfAnyShape_EqualsTheSumInDoubleOfWhatTheFormatHolds(WeightFormat format, bool machine)
    {
        SkipWithoutInstructions(format, machine); // not inside: CsCheck would take a skip for a failure
        Shapes(format).Sample(shape =>
        {
            using var problem = Create(format, machine, shape);

            // A float32 sum of n products is off by at most about n roundings of the sum of magnitudes.
            return problem.Run(shape.Rows, 0, add: false).Zip(problem.Expected()).All(pair => Math.Abs(pair.First - pair.Second) <= 1e-6 * shape.Inputs);
        });
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Multiply_OfARowAlone_IsBitEqualToTheRowInABatch(WeightFormat format, bool machine)
    {
        SkipWithoutInstructions(format, machine); // not inside: CsCheck would take a skip for a failure
        Shapes(format).Sample(shape =>
        {
            using var problem = Create(format, machine, shape);
            var together = problem.Run(shape.Rows, 0, add: false);

            return Enumerable.Range(0, shape.Rows).All(row =>
                problem.Run(1, row, add: false).AsSpan(0, shape.Outputs).SequenceEqual(together.AsSpan(row * shape.Outputs, shape.Outputs)));
        });
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Multiply_ThatAdds_LeavesTheSum(WeightFormat format, bool machine)
    {
        SkipWithoutInstructions(format, machine);
        using var problem = Create(format, machine, new ProductShape(7, 64, 48, 3));
        var product = problem.Run(7, 0, add: false);

        var added = problem.Run(7, 0, add: true);

        Assert.All(product.Zip(added), pair => Assert.Equal(pair.First + ProductProblem.Before, pair.Second));
    }

    // The steps of 8 and 4 bits over -1 to 1, and of 8 bits for x; errors are independent, so that they add up as roots.
    [Theory]
    [InlineData(WeightFormat.BFloat16, 0.004)]
    [InlineData(WeightFormat.Q8, 0.01)]
    [InlineData(WeightFormat.Q4, 0.1)]
    public void Multiply_OfARoundedFormat_IsNearTheExactProduct(WeightFormat format, double share)
    {
        using var problem = Create(format, machine: false, new ProductShape(4, 256, 64, 5));
        var exact = problem.Exact();
        var error = problem.Run(4, 0, add: false).Zip(exact).Select(pair => Math.Pow(pair.First - pair.Second, 2)).Average();

        Assert.InRange(Math.Sqrt(error / exact.Select(value => value * value).Average()), 0, share);
    }

    private static void SkipWithoutInstructions(WeightFormat format, bool machine) =>
        Assert.SkipWhen(machine && !ProductKernel.HasMachine(format), $"This processor lacks the instructions for {format}.");

    private static ProductProblem Create(WeightFormat format, bool machine, ProductShape shape) =>
        new(format, machine ? ProductKernel.Machine(format, shape.Inputs) : ProductKernel.Portable(format, shape.Inputs), shape);
}
