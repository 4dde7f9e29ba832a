using LlavaCluster.Engine.Sampling;

namespace LlavaCluster.Engine.Tests.Sampling;

public sealed class SamplingHistoryTests
{
    [Fact]
    public void Append_ForNewAndKnownIds_CountsOnlyWhatWasEmitted()
    {
        var history = new SamplingHistory([7, 9, 7, 7], 1);
        history.Append(9);
        history.Append(3);
        history.Append(3);
        Assert.Equal([7, 9, 3], history.Ids);
        Assert.Equal([0, 1, 2], history.EmittedCounts);
        Assert.Equal((4, 3, 7), (history.PromptCount, history.EmittedCount, history.Position));
    }

    [Fact]
    public void Append_BeyondTheRoomPromised_StillCounts()
    {
        var history = new SamplingHistory([], 0);
        for (var id = 0; id < 40; id++)
        {
            history.Append(id);
        }

        Assert.Equal(Enumerable.Range(0, 40), history.Ids.ToArray());
        Assert.All(history.EmittedCounts.ToArray(), count => Assert.Equal(1, count));
    }

    [Fact]
    public void Ids_ForImageMarkersOutsideTheVocabulary_DoNotDisturbTheSampler()
    {
        var history = new SamplingHistory([-200, 1, 5000], 1);
        var token = new Sampler(3, [], []).Sample(new SamplingRow
        {
            Logits = [0, 3, 2],
            Options = new SamplingOptions { Temperature = 0, RepetitionPenalty = 2 },
            History = history,
            Noise = default,
        });
        Assert.Equal(2, token.Id);
    }
}
