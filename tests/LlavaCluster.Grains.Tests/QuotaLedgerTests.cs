using CsCheck;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Grains.Tenants;
using LlavaCluster.Storage.Tenants;

namespace LlavaCluster.Grains.Tests;

public sealed class QuotaLedgerTests
{
    private static readonly DateTimeOffset Start = DateTimeOffset.UnixEpoch;

    [Fact]
    public void Reserve_UnderAnyHistory_NeverOvershootsALimit() =>
        Gen.Select(Gen.Int[1, 5], Gen.Int[1, 8], Gen.Int[50, 400], Gen.Select(Gen.Int[0, 3], Gen.Int[0, 9], Gen.Int[1, 120], Gen.Int[0, 40]).Array[1, 80])
            .Sample((concurrent, requests, tokens, steps) =>
            {
                var ledger = new QuotaLedger(new TenantQuota { ConcurrentTurns = concurrent, RequestsPerMinute = requests, TokensPerMinute = tokens }, []);
                var now = Start;
                var turns = Enumerable.Range(0, 10).Select(_ => Guid.NewGuid()).ToArray();
                List<StoredLease> held = [];
                foreach (var (action, turn, amount, seconds) in steps)
                {
                    now += TimeSpan.FromSeconds(seconds);
                    Step(ledger, action, turns[turn], amount, now);
                    held = [.. turns.Select(ledger.Find).OfType<StoredLease>().Where(lease => lease.Settled || lease.ExpiresAt > now)];
                    var recent = held.Where(lease => lease.BegunAt + TimeSpan.FromMinutes(1) > now).ToArray();
                    Assert.True(held.Count(lease => !lease.Settled) <= concurrent);
                    Assert.True(recent.Length <= requests);
                    Assert.True(recent.Sum(lease => lease.Tokens) <= tokens);
                    Assert.Equal(held.Count(lease => !lease.Settled), ledger.Running(now));
                }
            }, iter: 300);

    [Fact]
    public void Reserve_AfterTheRefusalsRetryAfter_IsAccepted()
    {
        var ledger = new QuotaLedger(new TenantQuota { TokensPerMinute = 100 }, []);
        ledger.Put(ledger.Reserve(Guid.NewGuid(), 60, Start).Lease!);
        ledger.Put(ledger.Reserve(Guid.NewGuid(), 30, Start.AddSeconds(10)).Lease!);

        var refused = ledger.Reserve(Guid.NewGuid(), 50, Start.AddSeconds(20)).Refused!;
        Assert.Equal(TimeSpan.FromSeconds(40), refused.RetryAfter);
        Assert.NotNull(ledger.Reserve(Guid.NewGuid(), 50, Start.AddSeconds(20) + refused.RetryAfter!.Value).Lease);
        Assert.Null(ledger.Reserve(Guid.NewGuid(), 101, Start.AddSeconds(20)).Refused!.RetryAfter);
    }

    [Fact]
    public void Reserve_OfAHeldTurn_RenewsItEvenWhenTheQuotaIsFull()
    {
        var ledger = new QuotaLedger(new TenantQuota { ConcurrentTurns = 1 }, []);
        var turn = Guid.NewGuid();
        ledger.Put(ledger.Reserve(turn, 10, Start).Lease!);

        var renewed = ledger.Reserve(turn, 10, Start.AddMinutes(1)).Lease!;
        Assert.Equal(Start.AddMinutes(1) + TenantQuota.LeaseLife, renewed.ExpiresAt);
        Assert.NotNull(ledger.Reserve(Guid.NewGuid(), 10, Start.AddMinutes(1)).Refused);
        Assert.NotNull(ledger.Reserve(Guid.NewGuid(), 10, Start + TenantQuota.LeaseLife).Lease);
    }

    private static void Step(QuotaLedger ledger, int action, Guid turn, int amount, DateTimeOffset now)
    {
        if (action < 2)
        {
            if (ledger.Reserve(turn, amount, now).Lease is { } lease)
            {
                ledger.Put(lease);
            }
        }
        else if (ledger.Find(turn) is { Settled: false } held)
        {
            // What was used is never more than the worst case.
            ledger.Put(held with { Settled = true, Tokens = Math.Min(held.Tokens, amount) });
        }
    }
}
