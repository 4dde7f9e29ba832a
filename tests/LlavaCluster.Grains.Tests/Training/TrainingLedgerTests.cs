using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Grains.Tenants;

namespace LlavaCluster.Grains.Tests.Training;

public sealed class TrainingLedgerTests
{
    [Fact]
    public void Train_WhenTheDayIsUsedUp_WaitsForMidnightAndGoesOnAfterIt()
    {
        var ledger = new TrainingLedger(default, []);
        var quota = new TenantQuota { TrainingSecondsPerDay = 5 };
        var evening = new DateTimeOffset(2026, 3, 1, 23, 59, 0, TimeSpan.Zero);
        Assert.Null(Ask(1, 4, evening));

        var refused = Ask(2, 4, evening.AddSeconds(10))!;
        Assert.Equal("training must take <= 5 s of devices a day; 8 were used since midnight (UTC).", refused.Message);
        Assert.Equal(TimeSpan.FromSeconds(50), refused.RetryAfter);
        Assert.Equal(0, ledger.Running(evening.AddSeconds(11)));

        Assert.Null(Ask(3, 0, evening.AddMinutes(1)));
        Assert.Equal((8, 0), (ledger.Totals.Seconds, ledger.Today(evening.AddMinutes(1))));

        Abstractions.Chat.ChatFailure? Ask(long report, double seconds, DateTimeOffset now)
        {
            var (job, totals, failure) = ledger.Train("a", report, seconds, quota, now);
            ledger.Put(job, totals);
            return failure;
        }
    }
}
