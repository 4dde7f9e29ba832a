using System.Collections.Immutable;
using System.Security.Cryptography;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Grains.Tests.Support;

namespace LlavaCluster.Grains.Tests;

public sealed class TenantTests
{
    private static readonly TenantId Acme = TenantId.Parse("acme");
    private static readonly ImmutableArray<byte> WrongHash = [.. SHA256.HashData("a guess"u8)];
    private readonly CancellationToken _deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30)).Token;

    [Fact]
    public async Task VerifyKey_OfATenantThatNeverWas_KeepsNoActivation()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        var reads = CountReads(front);

        Assert.Null(await front.Tenant(Acme).VerifyKeyAsync("id", WrongHash, _deadline));
        Assert.Null(await front.Tenant(Acme).VerifyKeyAsync("id", WrongHash, _deadline));

        Assert.Equal(2, reads.Value); // The second call found no activation and made another.
    }

    [Fact]
    public async Task VerifyKey_OfAWrongSecret_KeepsTheActivationOfAKnownTenant()
    {
        using var data = new DataFolder();
        await using var front = await TestFront.StartAsync(data.Path, _deadline);
        var reads = CountReads(front);
        var key = await front.Tenant(Acme).CreateKeyAsync("label", ["chat"], _deadline);

        Assert.Null(await front.Tenant(Acme).VerifyKeyAsync(key.Info.KeyId, WrongHash, _deadline));
        Assert.Null(await front.Tenant(Acme).VerifyKeyAsync(key.Info.KeyId, WrongHash, _deadline));

        Assert.Equal(1, reads.Value);
    }

    private static Counter CountReads(TestFront front)
    {
        var count = new Counter();
        front.Faults.Read = tenant => count.Value += tenant == Acme ? 1 : 0;
        return count;
    }

    private sealed class Counter
    {
        public int Value { get; set; }
    }
}
