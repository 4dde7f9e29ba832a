using CsCheck;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Grains.Training;

namespace LlavaCluster.Grains.Tests.Training;

public sealed class JobProgressTests
{
    [Fact]
    public void Add_OfEveryStep_GivesBoundedPointsToTheLastWhoseMeansAreThoseOfTheSteps() => Gen.Select(Gen.Int[1, 20_000], Gen.Int[1, 50]).Sample((total, tokens) =>
    {
        var progress = new JobProgress();
        var points = Enumerable.Range(1, total).Select(step => progress.Add(Metrics(step, total, step), tokens)).OfType<TrainingMetrics>().ToList();

        Assert.InRange(points.Count, 1, JobProgress.MostPoints);
        Assert.Equal(total, points[^1].Step);
        var last = 0L;
        foreach (var point in points)
        {
            Assert.Equal((last + 1 + point.Step) / 2.0, point.Loss, 6); // of steps whose losses are their numbers
            last = point.Step;
        }
    });

    [Fact]
    public void Add_OfStepsThatAreMadeAgain_TellsThem()
    {
        var progress = new JobProgress();
        Assert.NotNull(progress.Add(Metrics(900, 1_000_000, 1), 10));
        Assert.Null(progress.Add(Metrics(901, 1_000_000, 1), 10));

        Assert.NotNull(progress.Add(Metrics(300, 1_000_000, 1), 10));
    }

    private static TrainingMetrics Metrics(long step, long total, double loss) => new(step, total, loss, 1e-4, 1, 100, 0);
}
