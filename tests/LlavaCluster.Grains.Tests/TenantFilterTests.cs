using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Grains.Tests.Support;

namespace LlavaCluster.Grains.Tests;

/// <summary>What the silo-wide filter lets in at a tenant's grains.</summary>
public sealed class TenantFilterTests
{
    private readonly CancellationToken _deadline = new CancellationTokenSource(TimeSpan.FromSeconds(10)).Token;

    [Fact]
    public async Task Timer_OfATenantsGrain_Runs()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        front.Stamps.Stamp(TenantId.Parse("acme"));
        await front.Grains.GetGrain<ITimedGrain>("acme/timed").TickAsync(_deadline);
    }
}
