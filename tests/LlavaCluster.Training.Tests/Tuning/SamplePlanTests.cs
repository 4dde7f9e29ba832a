using CsCheck;
using LlavaCluster.Training.Tuning;

namespace LlavaCluster.Training.Tests.Tuning;

public sealed class SamplePlanTests
{
    private static readonly Gen<(int Samples, int Batch, int Epochs, int Seed, int Size, bool Grouped)> Plans =
        Gen.Select(Gen.Int[1, 200], Gen.Int[1, 40], Gen.Int[1, 3], Gen.Int[0, 1000], Gen.Int[1, 9], Gen.Bool);

    [Fact]
    public void Share_OverAnEpoch_TakesEverySampleOnce() => Plans.Sample(given =>
    {
        var plan = Plan(given);
        for (var epoch = 0; epoch < given.Epochs; epoch++)
        {
            var seen = Enumerable.Range(0, plan.StepsPerEpoch).SelectMany(step => plan.Share((epoch * plan.StepsPerEpoch) + step));
            Assert.Equal(Enumerable.Range(0, given.Samples), seen.Order());
        }
    });

    [Fact]
    public void Share_OfAllParticipants_IsTheBatchWhateverTheirNumber() => Plans.Sample(given =>
    {
        var plan = Plan(given);
        for (var step = 0L; step < plan.TotalSteps; step++)
        {
            var parts = Enumerable.Range(0, given.Size).Select(rank => plan.Share(step, rank, given.Size)).ToList();
            Assert.Equal(plan.Share(step).Order(), parts.SelectMany(part => part).Order());
            Assert.All(parts.Select((part, rank) => (part, rank)), entry => Assert.Equal(entry.part.Length, plan.ShareCount(step, entry.rank, given.Size)));
            Assert.InRange(parts.Max(part => part.Length) - parts.Min(part => part.Length), 0, 1);
        }
    });

    [Fact]
    public void Share_OfOneKind_IsAsLongAsTheOthersButForTheLongestSample() => Plans.Where(given => given.Size <= given.Batch).Sample(given =>
    {
        int[] lengths = [.. Lengths(given.Samples).Select(Math.Abs)];
        var plan = new SamplePlan(given.Samples, given.Batch, given.Epochs, given.Seed, lengths, given.Grouped);
        for (var step = 0L; step < plan.TotalSteps; step++)
        {
            var words = Enumerable.Range(0, given.Size).Select(rank => plan.Share(step, rank, given.Size).Sum(sample => lengths[sample])).ToList();
            Assert.InRange(words.Max() - words.Min(), 0, 2 * plan.Share(step).Max(sample => lengths[sample]));
        }
    });

    [Fact]
    public void Share_IsDealtToAndFroFromTheLongestOn()
    {
        int[] lengths = [10, 80, 30, 60, 50, 40, 70, 20];
        var plan = new SamplePlan(8, 8, 1, 0, lengths);

        Assert.Equal([80, 50, 40, 10], Words(0));
        Assert.Equal([70, 60, 30, 20], Words(1));

        IEnumerable<int> Words(int rank) => plan.Share(0, rank, 2).Select(sample => lengths[sample]).OrderDescending();
    }

    [Fact]
    public void Share_AskedForInAnyOrder_IsTheSame() => Plans.Sample(given =>
    {
        var (forwards, backwards) = (Plan(given), Plan(given));
        var steps = Enumerable.Range(0, (int)forwards.TotalSteps).ToList();
        var there = steps.ConvertAll(step => forwards.Share(step));
        var back = Enumerable.Reverse(steps).Select(step => backwards.Share(step)).Reverse().ToList();
        Assert.Equal(there, back);
    });

    [Fact]
    public void Share_OfAGroupedPlan_HasOneKindAndFallingLengthsInEveryBatchButTheLast() => Plans.Where(given => given.Grouped).Sample(given =>
    {
        var lengths = Lengths(given.Samples);
        var plan = Plan(given);
        var whole = (lengths.Count(length => length >= 0) / given.Batch) + (lengths.Count(length => length < 0) / given.Batch);
        for (var step = 0; step < whole; step++)
        {
            var batch = plan.Share(step).Select(sample => lengths[sample]).ToList();
            Assert.Single(batch.Select(Math.Sign).Distinct());
            Assert.Equal(batch.OrderByDescending(Math.Abs), batch);
        }
    });

    [Fact]
    public void Share_OfAnotherEpochOrSeed_IsInAnotherOrder()
    {
        var plan = new SamplePlan(100, 100, 2, 1);

        Assert.NotEqual(plan.Share(0), plan.Share(1));
        Assert.NotEqual(plan.Share(0), new SamplePlan(100, 100, 2, 2).Share(0));
    }

    [Fact]
    public void Split_LeavesNoSampleInBothOrNeither() => Gen.Select(Gen.Int[1, 100], Gen.Int[0, 99], Gen.Int[0, 9]).Where(given => given.Item2 < given.Item1).Sample((samples, heldOut, seed) =>
    {
        var (training, held) = SamplePlan.Split(samples, heldOut, seed);

        Assert.Equal(heldOut, held.Length);
        Assert.Equal(Enumerable.Range(0, samples), training.Concat(held).Order());
    });

    private static SamplePlan Plan((int Samples, int Batch, int Epochs, int Seed, int Size, bool Grouped) given) =>
        new(given.Samples, given.Batch, given.Epochs, given.Seed, Lengths(given.Samples), given.Grouped);

    private static int[] Lengths(int samples) => [.. Enumerable.Range(0, samples).Select(i => (i % 3 == 0 ? -1 : 1) * ((i * 37 % 50) + 1))];
}
