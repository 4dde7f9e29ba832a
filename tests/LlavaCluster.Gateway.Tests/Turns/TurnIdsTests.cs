using LlavaCluster.Gateway.Turns;

namespace LlavaCluster.Gateway.Tests.Turns;

public sealed class TurnIdsTests
{
    [Fact]
    public void FromClient_TakesAUuidAsItIs_ButNotTheNilOne()
    {
        var chosen = Guid.NewGuid();
        Assert.Equal(chosen, TurnIds.FromClient(chosen.ToString()));

        var nil = TurnIds.FromClient(Guid.Empty.ToString());
        Assert.NotEqual(Guid.Empty, nil);
        Assert.Equal(nil, TurnIds.FromClient(Guid.Empty.ToString()));
    }
}
