using System.Net;
using LlavaCluster.Storage.Membership;
using Orleans;
using Orleans.Runtime;

namespace LlavaCluster.Storage.Tests;

public sealed class SqliteMembershipTableTests
{
    [Fact]
    public async Task Update_WithAnOldTableVersion_IsRefusedWithoutEffect()
    {
        await using var folder = new StoreFolder();
        using var table = await OpenAsync(folder);
        var entry = Silo(1);
        var version = (await table.ReadAll()).Version;
        Assert.True(await table.InsertRow(entry, version.Next()));
        Assert.False(await table.InsertRow(Silo(2), version.Next()));
        Assert.False(await table.InsertRow(entry, (await table.ReadAll()).Version.Next()));

        entry.Status = SiloStatus.Active;
        Assert.False(await table.UpdateRow(entry, "", version.Next()));
        var read = await table.ReadAll();
        Assert.Equal((1, SiloStatus.Joining), (read.Version.Version, Assert.Single(read.Members).Item1.Status));
        Assert.True(await table.UpdateRow(entry, read.Members[0].Item2, read.Version.Next()));
        Assert.False(await table.UpdateRow(Silo(3), "", (await table.ReadAll()).Version.Next()));
    }

    [Fact]
    public async Task UpdateIAmAlive_LeavesTheVersionAndTheRestOfTheRow()
    {
        await using var folder = new StoreFolder();
        using var table = await OpenAsync(folder);
        var entry = Silo(1);
        entry.SuspectTimes = [Tuple.Create(entry.SiloAddress, new DateTime(5, DateTimeKind.Utc))];
        await table.InsertRow(entry, (await table.ReadAll()).Version.Next());

        await table.UpdateIAmAlive(new MembershipEntry { SiloAddress = entry.SiloAddress, IAmAliveTime = new DateTime(99, DateTimeKind.Utc) });

        var read = await table.ReadRow(entry.SiloAddress);
        var row = Assert.Single(read.Members).Item1;
        Assert.Equal((1, 99L, "silo-1"), (read.Version.Version, row.IAmAliveTime.Ticks, row.SiloName));
        Assert.Equal(entry.SuspectTimes, row.SuspectTimes);
    }

    [Fact]
    public async Task Insert_ByManyAtOnce_RaisesTheVersionOncePerRow()
    {
        await using var folder = new StoreFolder();
        using var first = await OpenAsync(folder);
        using var second = await OpenAsync(folder);

        await Task.WhenAll(Enumerable.Range(1, 12).Select(async n =>
        {
            var table = n % 2 == 0 ? first : second;
            while (!await table.InsertRow(Silo(n), (await table.ReadAll()).Version.Next()))
            {
                // Another was faster; read again.
            }
        }));

        var read = await first.ReadAll();
        Assert.Equal((12, 12), (read.Version.Version, read.Members.Count));
        Assert.Equal(Enumerable.Range(1, 12), read.Members.Select(member => int.Parse(member.Item2)).Order());
    }

    [Fact]
    public async Task CleanupDefunct_DropsOnlyTheLongDead()
    {
        await using var folder = new StoreFolder();
        using var table = await OpenAsync(folder);
        var (dead, living) = (Silo(1), Silo(2));
        dead.Status = SiloStatus.Dead;
        await table.InsertRow(dead, (await table.ReadAll()).Version.Next());
        await table.InsertRow(living, (await table.ReadAll()).Version.Next());

        await table.CleanupDefunctSiloEntries(DateTimeOffset.UnixEpoch);
        Assert.Equal(2, (await table.ReadAll()).Members.Count);
        await table.CleanupDefunctSiloEntries(DateTimeOffset.UnixEpoch.AddYears(200));
        Assert.Equal(living.SiloAddress, Assert.Single((await table.ReadAll()).Members).Item1.SiloAddress);
    }

    private static async Task<SqliteMembershipTable> OpenAsync(StoreFolder folder)
    {
        var table = new SqliteMembershipTable(folder.File, "test");
        await table.InitializeMembershipTable(true);
        return table;
    }

    private static MembershipEntry Silo(int n) => new()
    {
        SiloAddress = SiloAddress.New(new IPEndPoint(IPAddress.Loopback, 10_000 + n), n),
        Status = SiloStatus.Joining,
        SiloName = $"silo-{n}",
        HostName = "host",
        StartTime = DateTime.UnixEpoch.AddYears(50),
        IAmAliveTime = DateTime.UnixEpoch.AddYears(50),
    };
}
