using LlavaCluster.Engine.Scheduling;

namespace LlavaCluster.Engine.Tests.Scheduling;

public sealed class StepPaceTests
{
    private const double Alone = 0.1, PerToken = 0.002;

    [Fact]
    public void Beside_WhereNobodyAnswers_IsWithoutLimit() => Assert.Equal(double.PositiveInfinity, new StepPace(2).Beside(answers: 0, waiting: 2));

    [Fact]
    public void Beside_WithoutAMost_IsWithoutLimit() => Assert.Equal(double.PositiveInfinity, new StepPace(double.PositiveInfinity).Beside(answers: 1, waiting: 0));

    [Theory]
    [InlineData(1.5)]
    [InlineData(2.5)]
    public void Beside_AfterSomeSteps_KeepsAStepToTheMultiple(double most)
    {
        var pace = new StepPace(most);
        var times = Run(pace, 200, Alone, PerToken);

        Assert.All(times.Skip(40), time => Assert.InRange(time, Alone - 1e-9, (most * Alone) + PerToken));
        Assert.True(times.Skip(40).Count(time => time > (most * Alone) - (2 * PerToken)) > 140, "Steps are filled.");
    }

    [Theory]
    [InlineData(16, 8, 0)] // as many answer as wait, or more
    [InlineData(16, 16, 0)]
    [InlineData(5, 16, 11)]
    public void Beside_WhileOthersWait_KeepsAStepToTheMultipleOfWhatItTakesWithAsManyAnswers(int answers, int waiting, int more)
    {
        var pace = new StepPace(2.5);
        Run(pace, 100, Alone, PerToken);
        pace.Book(0, Alone);

        Assert.Equal(2.5 * (Alone + (more * PerToken)), Alone + (pace.Beside(answers, waiting) * PerToken), 1e-6);
    }

    [Fact]
    public void Beside_NowAndThen_IsNothingSoThatAnsweringAloneStaysKnown()
    {
        var pace = new StepPace(2.5);
        Run(pace, 100, Alone, PerToken);
        var slower = Run(pace, 200, 4 * Alone, PerToken);

        Assert.All(slower.Skip(150), time => Assert.InRange(time, 4 * Alone, 2.5 * 4 * Alone * 1.05));
        Assert.Contains(slower.Skip(150), time => time > 2.3 * 4 * Alone);
        Assert.InRange(slower.Count(time => time == 4 * Alone), 200 / 20, 200 / 15);
    }

    [Fact]
    public void Beside_OnAMachineThatPauses_IsNotLearnedFromThePause()
    {
        var pace = new StepPace(2.5);
        Run(pace, 100, Alone, PerToken);
        var before = Beside(pace);
        pace.Book(before, 100);

        Assert.InRange(Beside(pace), before / 3, before);
    }

    [Fact]
    public void Beside_HoweverSlowTheMachine_GoesOn()
    {
        var pace = new StepPace(1.01);
        Run(pace, 50, Alone, perToken: 10);

        Assert.Equal(16, Beside(pace));
    }

    // A step's seconds for each, with as much beside the answers as is allowed.
    private static List<double> Run(StepPace pace, int steps, double alone, double perToken)
    {
        var times = new List<double>();
        for (var i = 0; i < steps; i++)
        {
            var beside = Math.Floor(Math.Min(1000, pace.Beside(answers: 1, waiting: 0)));
            var seconds = alone + (beside * perToken);
            pace.Book(beside, seconds);
            times.Add(seconds);
        }

        return times;
    }

    private static double Beside(StepPace pace)
    {
        if (pace.Beside(answers: 1, waiting: 0) == 0)
        {
            pace.Book(0, Alone);
        }

        return pace.Beside(answers: 1, waiting: 0);
    }
}
