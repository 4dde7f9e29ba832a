using LlavaCluster.Engine.Caching;
using LlavaCluster.Engine.Scheduling;

namespace LlavaCluster.Engine.Tests.Scheduling;

public sealed class DraftPolicyTests
{
    private const int Most = 8;

    [Fact]
    public void Most_BeforeAnythingIsKnown_TriesAll() => Assert.Equal(Most, new DraftPolicy(Most).Most(Sequence()));

    [Fact]
    public void Most_OfNone_IsNone() => Assert.Equal(0, new DraftPolicy(0).Most(Sequence()));

    [Fact]
    public void Most_WhereStepsTakeTheSameHoweverManyTokens_IsAll() => Assert.Equal(Most, Taught(tokens => 0.1).Most(Sequence(right: 1, wrong: 8)));

    [Fact]
    public void Most_WhereStepsTakeAsLongAsTheirTokens_IsNone() => Assert.Equal(0, Taught(tokens => 0.01 * tokens).Most(Sequence(right: 20, wrong: 1)));

    [Theory]
    [InlineData(1, 1)] // a token costs 2 of 82 ms
    [InlineData(1, 64)]
    [InlineData(40, 64)] // and here 40 tokens half of a step
    public void Most_AfterAnyLoad_IsWhatTheLoadOfNowMakesWorthwhile(int sequences, int before)
    {
        var policy = new DraftPolicy(Most);
        Run(policy, before, 400, tokens => 0.08 + (0.002 * tokens));
        Run(policy, sequences, 400, tokens => 0.08 + (0.002 * tokens));

        Assert.Equal(sequences == 1 ? 6 : 1, Settled(policy, Sequence(right: 55, wrong: 45))); // 0.55^6 > 0.024; 0.55 > 0.5
    }

    [Fact]
    public void Most_OfManySequencesFromTheStart_SoonIsWhatIsWorthwhile()
    {
        var policy = new DraftPolicy(Most);
        Run(policy, 64, 30, tokens => 0.02 + (0.01 * tokens));

        Assert.Equal(0, Settled(policy, Sequence(right: 50, wrong: 50)));
    }

    [Fact]
    public void Most_AfterStepsThatWaitedForTheDisk_IsNotTakenIn()
    {
        var policy = new DraftPolicy(Most);
        policy.Book(30, 0, 1, 6);
        Run(policy, 1, 300, tokens => 0.08 + (0.002 * tokens));

        Assert.Equal(5, Settled(policy, Sequence(right: 50, wrong: 50)));
    }

    [Fact]
    public void Most_AfterAPauseOfTheMachine_ComesBack()
    {
        var policy = new DraftPolicy(Most);
        Run(policy, 1, 100, tokens => 0.08 + (0.002 * tokens));
        policy.Book(9, 8, 1, 4);
        Run(policy, 1, 2000, tokens => 0.08 + (0.002 * tokens));

        Assert.Equal(5, Settled(policy, Sequence(right: 50, wrong: 50)));
    }

    [Fact]
    public void Most_WhenTheLoadFalls_FollowsIt()
    {
        var policy = new DraftPolicy(Most);
        for (var sequences = 10; sequences >= 1; sequences--)
        {
            Run(policy, sequences, 400, tokens => 0.08 + (0.012 * tokens));
        }

        Assert.Equal(2, Settled(policy, Sequence(right: 50, wrong: 50))); // 12 / 92 = 0.13
    }

    [Theory]
    [InlineData(0, 20, 0)]
    [InlineData(5, 5, 1)]
    [InlineData(60, 1, 8)]
    public void Most_WhereATokenCostsAThirdOfAStep_FollowsTheShareOfGuessesThatWereRight(int right, int wrong, int expected) =>
        Assert.Equal(expected, Taught(tokens => 0.02 + (0.01 * tokens)).Most(Sequence(right, wrong))); // alone: 1/3 of a step of one token

    [Fact]
    public void Most_OfASequenceThatWasWrong_ComesBackWithTime()
    {
        var policy = Taught(tokens => 0.02 + (0.01 * tokens));
        var sequence = Sequence(right: 0, wrong: 20);
        Assert.Equal(0, policy.Most(sequence));

        Assert.Contains(Enumerable.Range(0, 1000), _ => policy.Most(sequence) > 0);
    }

    [Fact]
    public void Book_OfPrompts_TeachesNothing()
    {
        var policy = new DraftPolicy(Most);
        for (var i = 0; i < 50; i++)
        {
            policy.Book(200 + (i % 5 * 50), 0, 1, 0.01 * (200 + (i % 5 * 50)));
        }

        Assert.Equal(Most, policy.Most(Sequence()));
    }

    // Steps of so many sequences whose guesses are right half of the time, as far as the policy lets them guess.
    private static void Run(DraftPolicy policy, int sequences, int steps, Func<int, double> seconds)
    {
        for (var step = 0; step < steps; step++)
        {
            var guesses = Enumerable.Range(0, sequences).Sum(_ => policy.Most(Sequence(right: 50, wrong: 50)));
            policy.Book(sequences + guesses, guesses, sequences, seconds(sequences + guesses));
        }
    }

    private static int Settled(DraftPolicy policy, Sequence sequence)
    {
        _ = policy.Most(sequence); // may be the trial that comes every so many steps
        return policy.Most(sequence);
    }

    // One sequence alone, with no guesses, two and six.
    private static DraftPolicy Taught(Func<int, double> seconds)
    {
        var policy = new DraftPolicy(Most);
        for (var i = 0; i < 90; i++)
        {
            var guesses = (i % 3) switch { 0 => 0, 1 => 2, _ => 6 };
            policy.Book(1 + guesses, guesses, 1, seconds(1 + guesses));
        }

        return policy;
    }

    private static Sequence Sequence(int right = 0, int wrong = 0)
    {
        var spec = new SequenceSpec { Tokens = [1], PromptTokens = 1, MaxTokens = 9, Scope = new CacheScope("a", new byte[16], default) };
        var sequence = new Sequence(spec, new BlockAllocator(1), new KeyHasher(), 4);
        sequence.Guesses.Add(right, right);
        for (var i = 0; i < wrong; i++)
        {
            sequence.Guesses.Add(1, 0);
        }

        return sequence;
    }
}
