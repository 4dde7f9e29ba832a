using CsCheck;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Grains.Conversations;

namespace LlavaCluster.Grains.Tests;

public sealed class TurnFeedTests
{
    private readonly CancellationToken _deadline = TestContext.Current.CancellationToken;

    [Fact]
    public void Follow_FromOtherThreadsAndWhatever_SeesEveryEventOnceInOrder() =>
        Gen.Select(Gen.Int[1, 5].Array[1, 20], Gen.Int[0, 10]).Sample(
            (batches, after) =>
            {
                var feed = new TurnFeed();
                var early = ReadAsync(feed, 0, _deadline);
                var resumed = ReadAsync(feed, after, _deadline);
                foreach (var batch in batches)
                {
                    var first = feed.Count + 1;
                    feed.Add(Enumerable.Range(0, batch).Select(i => Event(first + i)), isEnd: false);
                }

                feed.Add([Event(feed.Count + 1) with { Completed = true }], isEnd: true);
                var count = batches.Sum() + 1;
                Assert.Equal(Enumerable.Range(1, count), early.GetAwaiter().GetResult().Select(step => (int)step.Sequence));
                Assert.Equal(Enumerable.Range(1, count).Where(number => number > after), resumed.GetAwaiter().GetResult().Select(step => (int)step.Sequence));
                Assert.Equal(0, feed.Followers);
            },
            iter: 200);

    [Fact]
    public async Task Close_EndsReadersWithoutAnEnd()
    {
        var feed = new TurnFeed();
        feed.Add([Event(1)], isEnd: false);
        var reader = ReadAsync(feed, 0, _deadline);
        feed.Close();

        Assert.Equal([1], (await reader.WaitAsync(_deadline)).Select(step => (int)step.Sequence));
        Assert.Empty(await ReadAsync(feed, 1, _deadline).WaitAsync(_deadline));
    }

    [Fact]
    public async Task Interrupt_IsSaidToReadersWithoutANumberUntilTheTurnGoesOn()
    {
        var feed = new TurnFeed();
        feed.Add([Event(1)], isEnd: false);
        feed.Interrupt(new ChatFailure(ChatFailureKind.StorageFull, "full"));

        var seen = await ReadAsync(feed, 0, _deadline).WaitAsync(_deadline);
        Assert.Equal((2, 1, true, "full"), (seen.Count, seen[1].Sequence, seen[1].Completed, seen[1].Failure?.Message));

        feed.Resume();
        var reader = ReadAsync(feed, 1, _deadline);
        feed.Add([Event(2) with { Completed = true }], isEnd: true);
        Assert.Equal([2], (await reader.WaitAsync(_deadline)).Select(step => (int)step.Sequence));
    }

    [Fact]
    public async Task Follow_ThatIsCancelled_CountsNoLonger()
    {
        var feed = new TurnFeed();
        using var stop = new CancellationTokenSource();
        var reader = ReadAsync(feed, 0, stop.Token);
        Assert.True(SpinWait.SpinUntil(() => feed.Followers == 1, TimeSpan.FromSeconds(10)));
        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reader);
        Assert.Equal(0, feed.Followers);
    }

    private static Task<List<TurnEvent>> ReadAsync(TurnFeed feed, long after, CancellationToken cancellationToken) => Task.Run(
        async () =>
        {
            var seen = new List<TurnEvent>();
            await foreach (var step in feed.FollowAsync(after, cancellationToken))
            {
                seen.Add(step);
            }

            return seen;
        },
        CancellationToken.None);

    private static TurnEvent Event(long number) => new() { Sequence = number, Text = $"{number}" };
}
