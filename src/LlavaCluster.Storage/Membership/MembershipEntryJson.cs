using System.Text.Json;
using Orleans;
using Orleans.Runtime;

namespace LlavaCluster.Storage.Membership;

/// <summary>A membership row as JSON text. The time of the last sign of life is a column of its own, because it changes without the rest.</summary>
internal static class MembershipEntryJson
{
    public static string Write(MembershipEntry entry) => JsonSerializer.Serialize(new Row(
        entry.SiloAddress.ToParsableString(),
        entry.Status,
        entry.ProxyPort,
        entry.HostName,
        entry.SiloName,
        entry.RoleName,
        entry.UpdateZone,
        entry.FaultZone,
        entry.StartTime.Ticks,
        [.. (entry.SuspectTimes ?? []).Select(suspicion => new Suspicion(suspicion.Item1.ToParsableString(), suspicion.Item2.Ticks))]));

    public static MembershipEntry Read(string text, long aliveAt)
    {
        var row = JsonSerializer.Deserialize<Row>(text)!;
        return new MembershipEntry
        {
            SiloAddress = SiloAddress.FromParsableString(row.Silo),
            Status = row.Status,
            ProxyPort = row.ProxyPort,
            HostName = row.HostName,
            SiloName = row.SiloName,
            RoleName = row.RoleName,
            UpdateZone = row.UpdateZone,
            FaultZone = row.FaultZone,
            StartTime = Utc(row.StartTime),
            IAmAliveTime = Utc(aliveAt),
            SuspectTimes = [.. row.Suspicions.Select(suspicion => Tuple.Create(SiloAddress.FromParsableString(suspicion.By), Utc(suspicion.At)))],
        };
    }

    private static DateTime Utc(long ticks) => new(ticks, DateTimeKind.Utc);

    private sealed record Row(
        string Silo,
        SiloStatus Status,
        int ProxyPort,
        string HostName,
        string SiloName,
        string? RoleName,
        int UpdateZone,
        int FaultZone,
        long StartTime,
        Suspicion[] Suspicions);

    private sealed record Suspicion(string By, long At);
}
