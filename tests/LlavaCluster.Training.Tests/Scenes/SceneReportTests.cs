using LlavaCluster.Training.Scenes;

namespace LlavaCluster.Training.Tests.Scenes;

public sealed class SceneReportTests
{
    [Fact]
    public void ToMarkdown_TwoKinds_PrintsAccuracyIntervalPrecisionAndRecall()
    {
        var results = Enumerable.Range(0, 10).Select(index => (SceneQuestionKind.Presence, new SceneGrade(index < 8, 0, 0, 0)))
            .Append((SceneQuestionKind.Description, new SceneGrade(false, 2, 4, 3)))
            .Append((SceneQuestionKind.Description, new SceneGrade(true, 1, 1, 1)));

        Assert.Equal(
            "| questions | n | accuracy | 95 % interval | object precision | object recall |\n|---|---|---|---|---|---|\n"
            + "| presence, yes or no | 10 | 0.800 | 0.490 to 0.943 |  |  |\n"
            + "| detailed description | 2 | 0.500 | 0.095 to 0.905 | 0.600 | 0.750 |\n",
            SceneReport.Create(results).ToMarkdown());
    }

    // Wilson's interval of 8 in 10 and 0 in 10, as in Brown, Cai and DasGupta (2001), formula 4.
    [Theory]
    [InlineData(8, 10, 0.4901625, 0.9433178)]
    [InlineData(0, 10, 0.0, 0.2775328)]
    public void WilsonInterval_KnownCases_AreExact(int correct, int count, double low, double high)
    {
        var interval = SceneReport.WilsonInterval(correct, count);

        Assert.Equal(low, interval.Low, 6);
        Assert.Equal(high, interval.High, 6);
    }
}
