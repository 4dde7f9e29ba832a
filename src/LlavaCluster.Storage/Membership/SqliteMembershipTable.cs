using LlavaCluster.Storage.Sqlite;
using Orleans;
using Orleans.Runtime;

namespace LlavaCluster.Storage.Membership;

/// <summary>
/// The cluster's membership in a SQLite file shared by the processes of one host. Every change raises the table's version by one in the same transaction;
/// the version is the table's and the rows' entity tag. It is a file of its own, so that failure detection never waits for a conversation's commit.
/// </summary>
public sealed class SqliteMembershipTable : IMembershipTable, IDisposable
{
    private readonly string _path;
    private readonly string _cluster;
    private readonly Lock _gate = new();
    private SqliteSession? _session;

    public SqliteMembershipTable(string path, string clusterId)
    {
        _path = path;
        _cluster = clusterId;
    }

    public Task InitializeMembershipTable(bool tryInitTableVersion) => Run(session =>
    {
        if (tryInitTableVersion)
        {
            session.Run("INSERT OR IGNORE INTO membership_version VALUES($0, 0)", _cluster);
        }
    });

    public Task DeleteMembershipTableEntries(string clusterId) => Run(session =>
    {
        session.Run("DELETE FROM membership WHERE cluster=$0", clusterId);
        session.Run("DELETE FROM membership_version WHERE cluster=$0", clusterId);
    });

    public Task CleanupDefunctSiloEntries(DateTimeOffset beforeDate) => Run(session =>
    {
        foreach (var row in Rows(session))
        {
            if (row.Entry.Status == SiloStatus.Dead && Latest(row.Entry) < beforeDate.UtcDateTime)
            {
                session.Run("DELETE FROM membership WHERE cluster=$0 AND silo=$1", _cluster, row.Entry.SiloAddress.ToParsableString());
            }
        }
    });

    public Task<MembershipTableData> ReadRow(SiloAddress key) => Run(session =>
        new MembershipTableData([.. Rows(session).Where(row => row.Entry.SiloAddress.Equals(key)).Select(row => Tuple.Create(row.Entry, row.ETag))], Version(session)));

    public Task<MembershipTableData> ReadAll() => Run(session =>
        new MembershipTableData([.. Rows(session).Select(row => Tuple.Create(row.Entry, row.ETag))], Version(session)));

    public Task<bool> InsertRow(MembershipEntry entry, TableVersion tableVersion) => Run(session =>
    {
        var silo = entry.SiloAddress.ToParsableString();
        var exists = session.Scalar("SELECT 1 FROM membership WHERE cluster=$0 AND silo=$1", _cluster, silo) is not null;
        if (exists || !TryRaiseVersion(session, tableVersion))
        {
            return false;
        }

        session.Run(
            "INSERT INTO membership VALUES($0, $1, $2, $3, $4)",
            _cluster,
            silo,
            MembershipEntryJson.Write(entry),
            entry.IAmAliveTime.Ticks,
            tableVersion.Version);
        return true;
    });

    public Task<bool> UpdateRow(MembershipEntry entry, string etag, TableVersion tableVersion) => Run(session =>
    {
        var silo = entry.SiloAddress.ToParsableString();
        var exists = session.Scalar("SELECT 1 FROM membership WHERE cluster=$0 AND silo=$1", _cluster, silo) is not null;
        if (!exists || !TryRaiseVersion(session, tableVersion))
        {
            return false;
        }

        session.Run(
            "UPDATE membership SET entry=$2, alive_at=$3, etag=$4 WHERE cluster=$0 AND silo=$1",
            _cluster,
            silo,
            MembershipEntryJson.Write(entry),
            entry.IAmAliveTime.Ticks,
            tableVersion.Version);
        return true;
    });

    public Task UpdateIAmAlive(MembershipEntry entry) => Run(session =>
    {
        session.Run(
            "UPDATE membership SET alive_at=$2 WHERE cluster=$0 AND silo=$1",
            _cluster,
            entry.SiloAddress.ToParsableString(),
            entry.IAmAliveTime.Ticks);
    });

    /// <summary>Forgets every silo. Only for a process that has proven that no other one of the cluster runs.</summary>
    public static void Clear(string path)
    {
        Prepare(path);
        using var session = new SqliteSession(path);
        session.Run("DELETE FROM membership");
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _session?.Dispose();
        }
    }

    private static void Prepare(string path) => SqliteFile.Prepare(
        path,
        1,
        """
        CREATE TABLE IF NOT EXISTS membership(
            cluster TEXT NOT NULL, silo TEXT NOT NULL, entry TEXT NOT NULL, alive_at INTEGER NOT NULL, etag INTEGER NOT NULL,
            PRIMARY KEY(cluster, silo)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS membership_version(cluster TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID;

        """);

    private static DateTime Latest(MembershipEntry entry) => entry.IAmAliveTime > entry.StartTime ? entry.IAmAliveTime : entry.StartTime;

    private bool TryRaiseVersion(SqliteSession session, TableVersion next) =>
        session.Run("UPDATE membership_version SET version=$1 WHERE cluster=$0 AND version=$2", _cluster, next.Version, int.Parse(next.VersionEtag)) == 1;

    private TableVersion Version(SqliteSession session)
    {
        var version = Convert.ToInt32(session.Scalar("SELECT version FROM membership_version WHERE cluster=$0", _cluster) ?? 0);
        return new TableVersion(version, version.ToString());
    }

    private List<(MembershipEntry Entry, string ETag)> Rows(SqliteSession session) => session.Query(
        "SELECT entry, alive_at, etag FROM membership WHERE cluster=$0",
        row => (MembershipEntryJson.Read(row.GetString(0), row.GetInt64(1)), row.GetInt64(2).ToString()),
        _cluster);

    private Task Run(Action<SqliteSession> work) => Run(session =>
    {
        work(session);
        return true;
    });

    /// <summary>Each call is one transaction, off the caller's thread.</summary>
    private Task<T> Run<T>(Func<SqliteSession, T> work) => Task.Run(() =>
    {
        lock (_gate)
        {
            if (_session is null)
            {
                Prepare(_path);
                _session = new SqliteSession(_path);
            }

            _session.Run("BEGIN IMMEDIATE");
            try
            {
                var result = work(_session);
                _session.Run("COMMIT");
                return result;
            }
            catch
            {
                _session.RollBack();
                throw;
            }
        }
    });
}
