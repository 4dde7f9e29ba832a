using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Grains.Tenants;

namespace LlavaCluster.Grains.Tests.Training;

public sealed class TrainingChargesTests
{
    [Fact]
    public void Train_AfterAReportOfNoTime_CountsTheNextOfTheSameNumber_Once()
    {
        var ledger = new TrainingLedger(default, []);
        Charge(1, 0); // a job asks before it has trained
        Charge(1, 8);
        Charge(1, 8); // sent again
        Charge(2, 3);

        Assert.Equal(11, ledger.Totals.Seconds);

        void Charge(long number, double seconds)
        {
            var (job, totals, _) = ledger.Train("a", number, seconds, new TenantQuota(), DateTimeOffset.UnixEpoch);
            ledger.Put(job, totals);
        }
    }
}
