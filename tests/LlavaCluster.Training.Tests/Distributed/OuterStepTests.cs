using CsCheck;
using LlavaCluster.Training.Distributed;

namespace LlavaCluster.Training.Tests.Distributed;

public sealed class OuterStepTests
{
    private static readonly Gen<float[]> Parameters = Gen.Float[-4, 4].Array[1, 70];

    [Fact]
    public void Apply_AloneWithRateOneAndNoMomentum_IsTheInnerStep() => Gen.Select(Parameters, Gen.Int).Sample((start, seed) =>
    {
        var step = new OuterStep(new OuterStepOptions { LearningRate = 1, Momentum = 0 }, start);
        var moved = Move(start, seed);
        var parameters = (float[])moved.Clone();
        step.Apply(parameters, new FixedGroup(start, [moved]));
        Assert.Equal(moved.Select(value => (double)value), parameters.Select(value => (double)value), (left, right) => Math.Abs(left - right) < 2e-6);
    });

    [Fact]
    public void Apply_OverSteps_IsTheFormulaInDoublePrecision() =>
        Gen.Select(Parameters, Gen.Float[0.1f, 1], Gen.Float[0, 0.95f], Gen.Int[1, 4], Gen.Int).Sample((start, rate, factor, members, seed) =>
        {
            var step = new OuterStep(new OuterStepOptions { LearningRate = rate, Momentum = factor }, start);
            var (due, momentum) = (start.Select(value => (double)value).ToArray(), new double[start.Length]);
            for (var round = 0; round < 5; round++)
            {
                var parts = Enumerable.Range(0, members).Select(member => Move(step.Start, seed + (round * members) + member)).ToArray();
                for (var i = 0; i < due.Length; i++)
                {
                    var gradient = parts.Average(part => (double)step.Start[i] - part[i]);
                    momentum[i] = (factor * momentum[i]) + gradient;
                    due[i] -= rate * (gradient + (factor * momentum[i]));
                }

                step.Apply(parts[0], new FixedGroup(step.Start.ToArray(), parts));
                Assert.Equal(step.Start.ToArray(), parts[0]);
            }

            Assert.Equal(due, step.Start.ToArray().Select(value => (double)value), (left, right) => Math.Abs(left - right) < 1e-4);
        });

    [Fact]
    public async Task Apply_InARing_LeavesAllMembersEqualToTheLastBit()
    {
        await using var ring = await TestRing.FormAsync(3);
        var start = RingGroupTests.Vectors(1, 100_003, 1)[0];
        var parts = RingGroupTests.Vectors(3, start.Length, 2);
        var steps = parts.Select(_ => new OuterStep(new OuterStepOptions(), start)).ToArray();

        await ring.EachAsync(member => steps[member.Rank].Apply(parts[member.Rank], member));
        await ring.EachAsync(member => steps[member.Rank].Apply(parts[member.Rank], member));

        Assert.NotEqual(start, parts[0]);
        Assert.All(parts, part => Assert.Equal(parts[0], part));
        Assert.All(steps, step => Assert.Equal(steps[0].Momentum.ToArray(), step.Momentum.ToArray()));
    }

    [Fact]
    public void Apply_RestoredFromStartAndMomentum_GoesOnAsIfNothingHadHappened()
    {
        var vectors = RingGroupTests.Vectors(3, 33, 3);
        var group = new FixedGroup(vectors[0], [vectors[1]]);
        var step = new OuterStep(new OuterStepOptions(), vectors[0]);
        step.Apply(vectors[1], group);
        var restored = new OuterStep(new OuterStepOptions(), step.Start);
        step.Momentum.CopyTo(restored.Momentum);
        var again = (float[])vectors[2].Clone();

        step.Apply(vectors[2], group);
        restored.Apply(again, group);

        Assert.Equal(vectors[2], again);
    }

    [Fact]
    public async Task Apply_WhenTheGroupBreaks_ChangesNothing()
    {
        await using var ring = await TestRing.FormAsync(2);
        float[] start = [1, 2, 3], now = [1.5f, 2, 2];
        var step = new OuterStep(new OuterStepOptions(), start);
        ring.Members[0].Abort("Stop.");

        Assert.Throws<RingBrokenException>(() => step.Apply(now, ring.Members[0]));

        Assert.Equal([1.5f, 2, 2], now);
        Assert.Equal(start, step.Start.ToArray());
        Assert.Equal([0, 0, 0], step.Momentum.ToArray());
    }

    [Theory]
    [InlineData(400, 50, 1, 0)] // the mean of the members
    [InlineData(1000, 50, 0.8333f, 0.5f)]
    [InlineData(5000, 50, 0.7f, 0.9f)] // the paper's
    [InlineData(1_000_000, 50, 0.7f, 0.9f)]
    [InlineData(1, 50, 1, 0)]
    public void For_ARunOfFewAgreements_LooksBackLess(long steps, int localSteps, float rate, float momentum)
    {
        var options = OuterStepOptions.For(steps, localSteps);

        Assert.Equal(rate, options.LearningRate, 1e-3f);
        Assert.Equal(momentum, options.Momentum, 1e-3f);
    }

    [Theory]
    [InlineData(0, 0.9f, "LearningRate must be above 0; was 0.")]
    [InlineData(float.NaN, 0.9f, "LearningRate must be above 0; was NaN.")]
    [InlineData(0.7f, 1, "Momentum must be from 0 to below 1; was 1.")]
    [InlineData(0.7f, -0.5f, "Momentum must be from 0 to below 1; was -0.5.")]
    public void BadOptions_NameTheBoundAndTheValue(float rate, float momentum, string message) => Assert.StartsWith(
        message, Assert.Throws<ArgumentOutOfRangeException>(() => new OuterStep(new OuterStepOptions { LearningRate = rate, Momentum = momentum }, [])).Message, StringComparison.Ordinal);

    private static float[] Move(ReadOnlySpan<float> from, int seed)
    {
        var random = new Random(seed);
        return [.. from.ToArray().Select(value => value + (((float)random.NextDouble() - 0.5f) / 5))];
    }

    /// <summary>The others' differences are known beforehand.</summary>
    private sealed class FixedGroup(float[] start, float[][] parts) : ITrainingGroup
    {
        public int Rank => 0;

        public int Size => parts.Length;

        public void Sum(Span<float> values)
        {
            foreach (var part in parts.Skip(1))
            {
                for (var i = 0; i < values.Length; i++)
                {
                    values[i] += start[i] - part[i];
                }
            }
        }

        public void Broadcast(int from, Stream state) => throw new NotSupportedException();

        public void AllGather(ReadOnlySpan<long> mine, Span<long> all) => throw new NotSupportedException();

        public void Dispose()
        {
        }
    }
}
