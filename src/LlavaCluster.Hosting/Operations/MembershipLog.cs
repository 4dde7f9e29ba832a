using Microsoft.Extensions.Logging;
using Orleans.Runtime;

namespace LlavaCluster.Hosting.Operations;

/// <summary>Says in the log, by name, which processes come to the cluster and which are gone.</summary>
internal sealed partial class MembershipLog(IClusterMembershipService membership, ILogger<MembershipLog> logger) : ISiloLoop
{
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var known = new Dictionary<SiloAddress, SiloStatus>();
        await foreach (var snapshot in membership.MembershipUpdates.WithCancellation(cancellationToken))
        {
            foreach (var (address, member) in snapshot.Members)
            {
                if (member.Status is SiloStatus.Active or SiloStatus.Dead && known.GetValueOrDefault(address) != member.Status)
                {
                    known[address] = member.Status;
                    LogStatus(member.Name, address.Endpoint, member.Status);
                }
            }
        }
    }

    [LoggerMessage(LogLevel.Information, "Silo {Name} at {EndPoint} is {Status}")]
    private partial void LogStatus(string name, System.Net.IPEndPoint endPoint, SiloStatus status);
}
