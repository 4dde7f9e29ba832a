using LlavaCluster.Abstractions.Training;
using LlavaCluster.Worker.Training;

namespace LlavaCluster.Worker.Tests.Training;

public sealed class GroupMailboxTests
{
    private readonly GroupMailbox _mailbox = new();

    [Fact]
    public async Task Take_GivesTheLatestOfThoseThatWait()
    {
        _mailbox.Put(Group(2));
        _mailbox.Put(Group(3));
        _mailbox.Put(Group(1)); // came late

        Assert.Equal(3, (await _mailbox.TakeAsync())!.Generation);
        Assert.False(_mailbox.TakeAsync().IsCompleted);
    }

    [Fact]
    public async Task Take_WaitsForTheNextOrTheEnd()
    {
        var next = _mailbox.TakeAsync();
        Assert.False(next.IsCompleted);
        _mailbox.Put(Group(1));
        Assert.Equal(1, (await next)!.Generation);

        next = _mailbox.TakeAsync();
        _mailbox.Close();

        Assert.Null(await next);
    }

    [Fact]
    public async Task Take_OfAClosedMailbox_GivesNothingThoughAGroupWaits()
    {
        _mailbox.Put(Group(1));
        _mailbox.Close();

        Assert.Null(await _mailbox.TakeAsync());
    }

    [Fact]
    public async Task OnNext_CallsForEveryArrivalWhileItIsListenedFor()
    {
        var calls = 0;
        using (_mailbox.OnNext(() => calls++))
        {
            Assert.Equal(0, calls);
            _mailbox.Put(Group(1));
            Assert.Equal(1, calls);
        }

        _mailbox.Put(Group(2));
        Assert.Equal(1, calls);
        using (_mailbox.OnNext(() => calls++))
        {
            Assert.Equal(2, calls); // one waits
        }

        Assert.Equal(2, (await _mailbox.TakeAsync())!.Generation);
        using (_mailbox.OnNext(() => calls++))
        {
            Assert.Equal(2, calls);
            _mailbox.Close();
            Assert.Equal(3, calls);
        }
    }

    private static TrainerGroup Group(long generation) => new(generation, 0, [], [], []);
}
