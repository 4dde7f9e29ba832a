using Microsoft.Data.Sqlite;

namespace LlavaCluster.Storage.Sqlite;

/// <summary>One SQLite file shared by any number of processes of a host: how it is opened and what it holds.</summary>
internal static class SqliteFile
{
    /// <summary>How long a statement waits for another process's write, unless a store is told otherwise.</summary>
    public static readonly TimeSpan BusyTimeout = TimeSpan.FromSeconds(10);

    /// <summary>Of each connection. Many running turns write to as many pages by turns; what does not fit is read from the file again for the next token.</summary>
    private const int CacheKiB = 16 << 10;

    /// <summary>Opens a connection with write-ahead logging and full durability. The caller disposes it.</summary>
    public static SqliteConnection Open(string path, TimeSpan? busyTimeout = null)
    {
        var busy = busyTimeout ?? BusyTimeout;
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = path,
            DefaultTimeout = (int)Math.Ceiling(busy.TotalSeconds),
        }.ToString());
        connection.Open();
        Execute(connection, $"PRAGMA busy_timeout={(int)busy.TotalMilliseconds}; PRAGMA synchronous=FULL; PRAGMA secure_delete=FAST; PRAGMA foreign_keys=OFF; PRAGMA cache_size=-{CacheKiB};");
        return connection;
    }

    /// <summary>Brings the file to <paramref name="version"/>; <paramref name="schema"/> may be run again on a file that has it.</summary>
    /// <param name="upgrades">The first brings a file of version 1 to 2, and so on; up to <paramref name="version"/>.</param>
    /// <exception cref="InvalidDataException">The file was written by a newer version.</exception>
    public static void Prepare(string path, int version, string schema, params IReadOnlyList<string> upgrades)
    {
        using var connection = Open(path);
        Execute(connection, "PRAGMA journal_mode=WAL;");
        Execute(connection, "BEGIN IMMEDIATE;");
        var found = Convert.ToInt32(Scalar(connection, "PRAGMA user_version;"));
        if (found > version)
        {
            Execute(connection, "ROLLBACK;");
            throw new InvalidDataException($"\"{path}\" has schema version {found}; this program knows up to {version}.");
        }

        var missing = found == 0 ? [] : upgrades.Skip(found - 1);
        Execute(connection, string.Concat(missing) + schema + $"PRAGMA user_version={version}; COMMIT;");
    }

    public static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private static object? Scalar(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }
}
