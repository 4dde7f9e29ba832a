using CsCheck;
using LlavaCluster.Engine.Sampling;

namespace LlavaCluster.Engine.Tests.Sampling;

public sealed class SamplerTests
{
    private static readonly SamplingOptions Greedy = new() { Temperature = 0 };

    [Fact]
    public void Sample_WhenGreedyAndScoresTie_TakesTheLowestId() => Assert.Equal(1, Draw([0, 3, 2, 3], Greedy).Id);

    [Fact]
    public void Sample_ForReservedIds_NeverDrawsNorReportsThem()
    {
        var top = new TokenLogprob[4];
        var sampler = new Sampler(4, [1, 3], []);
        var token = sampler.Sample(Row([0, 9, 1, 9], Greedy with { Logprobs = true, LogitBias = [new(1, 100)] }, top: top));
        Assert.Equal(2, token.Id);
        Assert.Equal(2, token.TopCount);
        Assert.Equal([2, 0], top[..2].Select(entry => entry.Id));
        Assert.Equal(-Math.Log(1 + Math.Exp(-1)), token.Logprob, 1e-6);
    }

    [Fact]
    public void Sample_WithPenaltiesAndBias_AppliesThemInTheDocumentedOrder()
    {
        // Id 0: prompt only. Id 1: twice in the answer. Id 2: bias only. Id 3: a negative score, in the prompt.
        var history = new SamplingHistory([0, 3, 0], 8);
        history.Append(1);
        history.Append(1);
        var options = new SamplingOptions { RepetitionPenalty = 2, FrequencyPenalty = 0.5, PresencePenalty = 0.25, LogitBias = [new(2, 1.5), new(1, 1)] };
        var candidates = new Sampler(4, [], []).Candidates(Row([4, 6, 1, -1], options, history))!;
        double[] scores = [2, (6 / 2.0) - 1 - 0.25 + 1, 2.5, -2];
        var sum = scores.Sum(Math.Exp);
        for (var id = 0; id < 4; id++)
        {
            Assert.Equal(Math.Exp(scores[id]) / sum, candidates.Weights[id] / candidates.Total, 1e-6);
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Sample_WhenARowIsNotFinite_SaysSo(float bad)
    {
        for (var place = 0; place < 19; place++)
        {
            var logits = new float[19];
            logits[place] = bad;
            Assert.Equal(SampleStatus.NotFinite, Draw(logits, new SamplingOptions()).Status);
        }
    }

    [Fact]
    public void Sample_WhenTheMaskIsEmpty_SaysThatNothingIsAllowed() =>
        Assert.Equal(SampleStatus.NothingAllowed, new Sampler(70, [], []).Sample(Row(new float[70], Greedy, allowed: [0, 0])).Status);

    [Fact]
    public void Sample_WithAMask_DrawsOnlyWhatItAllows()
    {
        var logits = Enumerable.Range(0, 70).Select(id => (float)id).ToArray();
        Assert.Equal(65, new Sampler(70, [], []).Sample(Row(logits, Greedy, allowed: [1, 0b11])).Id);
        Assert.Equal(0, new Sampler(70, [], []).Sample(Row(logits, Greedy, allowed: [1])).Id);
    }

    [Fact]
    public void Sample_IgnoringEnds_DrawsNoneUnlessNothingElseIsAllowed()
    {
        var history = new SamplingHistory([5], 4);
        var sampler = new Sampler(3, [], [2]);
        var options = Greedy with { IgnoreEos = true };
        Assert.Equal(1, sampler.Sample(Row([0, 1, 9], options, history)).Id);
        Assert.Equal(2, sampler.Sample(Row([0, 1, 9], options, history, allowed: [0b100])).Id);
        Assert.Equal(2, sampler.Sample(Row([0, 1, 9], Greedy, history)).Id);
    }

    [Fact]
    public void Sample_WithOneKey_DrawsTheSameTokenFromAnyInstanceAndInAnyOrder()
    {
        var logits = RandomRow(500, 1);
        var options = new SamplingOptions { Temperature = 1.3, TopP = 0.95 };
        int[] positions = [.. Enumerable.Range(0, 50)];
        int[] forward = [.. positions.Select(position => Draw(logits, options, position).Id)];
        var shared = new Sampler(500, [], []);
        int[] backward = [.. positions.Reverse().Select(position => shared.Sample(Row(logits, options, position: position)).Id).Reverse()];
        Assert.Equal(forward, backward);
        Assert.True(forward.Distinct().Count() > 10);
    }

    [Fact]
    public void Sample_OverManyPositions_FollowsTheDistribution()
    {
        float[] logits = [0, 1, 2, -1];
        var sampler = new Sampler(4, [], []);
        var counts = new int[4];
        const int Draws = 20_000;
        for (var position = 0; position < Draws; position++)
        {
            counts[sampler.Sample(Row(logits, new SamplingOptions(), position: position)).Id]++;
        }

        var sum = logits.Sum(score => Math.Exp(score));
        for (var id = 0; id < 4; id++)
        {
            Assert.Equal(Math.Exp(logits[id]) / sum, counts[id] / (double)Draws, 0.01);
        }
    }

    [Fact]
    public void Candidates_ForAnyRow_EqualASortedReference()
    {
        var rows = Gen.Int[-40, 40].Select(score => score / 8f).Array[1, 300];
        Gen.Select(rows, Gen.Int[0, 40], Gen.Double[0.01, 1], Gen.Double[0, 0.3], Gen.Double[0.2, 2]).Sample((logits, topK, topP, minP, temperature) =>
        {
            var options = new SamplingOptions { TopK = topK, TopP = topP, MinP = minP, Temperature = temperature };
            var candidates = new Sampler(logits.Length, [], []).Candidates(Row(logits, options))!;
            var expected = Reference(logits, options, 0);

            // At a boundary within rounding of a token's own share, either side is right.
            Assert.True(
                candidates.Ids.SequenceEqual(expected) || candidates.Ids.SequenceEqual(Reference(logits, options, 1e-6)) || candidates.Ids.SequenceEqual(Reference(logits, options, -1e-6)),
                $"kept {candidates.Ids.Length}, expected {expected.Length}");
        });
    }

    [Fact]
    public void Sample_OnceWarm_AllocatesNothing()
    {
        const int Vocabulary = 32_000;
        var logits = RandomRow(Vocabulary, 2);
        var history = new SamplingHistory([.. Enumerable.Range(0, 300)], 100);
        var options = new SamplingOptions
        {
            Temperature = 0.8, TopK = 50, TopP = 0.9, MinP = 0.01, RepetitionPenalty = 1.1, FrequencyPenalty = 0.1, PresencePenalty = 0.1,
            LogitBias = [new(7, 2)], Logprobs = true, TopLogprobs = 5,
        };
        SamplingOptions[] variants = [options, options with { TopK = 0 }, options with { Temperature = 0 }];
        var top = new TokenLogprob[5];
        var allowed = Enumerable.Repeat(ulong.MaxValue, (Vocabulary / 64) + 1).ToArray();
        var sampler = new Sampler(Vocabulary, [0, 31_999], [2]);
        long Spend(int tokens)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var index = 0; index < tokens; index++)
            {
                history.Append(sampler.Sample(Row(logits, variants[index % 3], history, history.Position, allowed, top)).Id);
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Spend(10);
        Assert.Equal(0, Spend(80));
    }

    [Fact]
    public void Apply_ForAnyValue_IsCloseToTheLibrarysExp()
    {
        Gen.Float[-59f, 0f].Array[1, 40].Sample(values =>
        {
            var copy = values.ToArray();
            var sum = StableExp.Apply(copy, 0, 1);
            for (var index = 0; index < values.Length; index++)
            {
                Assert.Equal(1, copy[index] / Math.Exp(values[index]), 2e-7);
            }

            Assert.Equal(copy.Sum(value => (double)value), sum, 1e-9);
        });
        float[] ends = [0, float.NegativeInfinity, -1000];
        StableExp.Apply(ends, 0, 1e30);
        Assert.Equal([1, 0, 0], ends);
    }

    private static int[] Reference(float[] logits, SamplingOptions options, double slack)
    {
        var max = logits.Max();
        var ranked = logits.Select((score, id) => (Score: score, Id: id, Weight: (double)(float)Math.Exp((score - max) / options.Temperature)))
            .OrderByDescending(entry => entry.Score).ThenBy(entry => entry.Id).ToArray();
        if (options.TopK > 0 && options.TopK < ranked.Length)
        {
            ranked = [.. ranked.TakeWhile(entry => entry.Score >= ranked[options.TopK - 1].Score)];
        }

        var total = ranked.Sum(entry => entry.Weight);
        var kept = new List<int>();
        var sum = 0.0;
        foreach (var entry in ranked)
        {
            if (sum >= (options.TopP + slack) * total || entry.Weight < options.MinP * (1 + slack))
            {
                break;
            }

            sum += entry.Weight;
            kept.Add(entry.Id);
        }

        return [.. kept.Order()];
    }

    private static float[] RandomRow(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)((random.NextDouble() * 8) - 4))];
    }

    private static SampledToken Draw(float[] logits, SamplingOptions options, int position = 0) =>
        new Sampler(logits.Length, [], []).Sample(Row(logits, options, position: position));

    private static SamplingRow Row(
        float[] logits, SamplingOptions options, SamplingHistory? history = null, int position = 0, ulong[]? allowed = null, TokenLogprob[]? top = null) =>
        new()
        {
            Logits = logits,
            Options = options,
            History = history ?? new SamplingHistory([], 1),
            Noise = new NoiseKey(11, 0, position),
            Allowed = allowed,
            TopLogprobs = top,
        };
}
