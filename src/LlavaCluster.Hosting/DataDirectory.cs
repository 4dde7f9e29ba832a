using System.Security.Cryptography;
using LlavaCluster.Storage.Membership;

namespace LlavaCluster.Hosting;

/// <summary>
/// The folder that holds everything durable, shared by the cluster's processes on one host. Each holds a shared lock on it while it lives;
/// a process that finds it unlocked is alone, and forgets the silos of the processes that were killed before it.
/// </summary>
public sealed class DataDirectory : IDisposable
{
    private const int KeyBytes = 32;
    private static readonly TimeSpan GatePatience = TimeSpan.FromSeconds(10);

    // Names without a process would pile up: the file goes with its owner, and after a kill with the next of the name.
    private static readonly FileStreamOptions Lock = new() { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None, Options = FileOptions.DeleteOnClose };

    private readonly FileStream _presence;
    private FileStream? _name;

    private DataDirectory(string path, FileStream presence, bool foundAlone, byte[] clusterKey)
    {
        Path = path;
        _presence = presence;
        FoundAlone = foundAlone;
        ClusterKey = clusterKey;
    }

    public string Path { get; }

    /// <summary>True if no other process of the cluster lived when this one opened the folder.</summary>
    public bool FoundAlone { get; }

    /// <summary>The secret that tenants' stamps are signed with; only this user can read its file.</summary>
    public byte[] ClusterKey { get; }

    public string ConversationsFile => System.IO.Path.Combine(Path, "llava.db");

    public string MembershipFile => System.IO.Path.Combine(Path, "membership.db");

    public string ObjectsFolder => System.IO.Path.Combine(Path, "objects");

    /// <exception cref="ClusterStartException">The folder cannot be made, written or locked.</exception>
    public static DataDirectory Open(string path)
    {
        try
        {
            var full = System.IO.Path.GetFullPath(path);
            if (OperatingSystem.IsWindows())
            {
                Directory.CreateDirectory(full);
            }
            else
            {
                Directory.CreateDirectory(full, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            }

            // The gate makes "look whether anyone is there, then enter" one step.
            using var gate = OpenGate(System.IO.Path.Combine(full, "gate.lock"));
            var lockFile = System.IO.Path.Combine(full, "presence.lock");
            var alone = IsUnlocked(lockFile);
            if (alone)
            {
                SqliteMembershipTable.Clear(System.IO.Path.Combine(full, "membership.db"));
            }

            var presence = new FileStream(lockFile, FileMode.OpenOrCreate, FileAccess.Read, FileShare.Read);
            return new DataDirectory(full, presence, alone, ReadOrMakeKey(System.IO.Path.Combine(full, "cluster.key")));
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or InvalidDataException or Microsoft.Data.Sqlite.SqliteException)
        {
            throw new ClusterStartException($"The data directory \"{path}\" cannot be used: {fault.Message}", fault);
        }
    }

    /// <summary>Takes a silo's name until this process ends, however it ends: two of one name would be one worker to the fronts.</summary>
    /// <exception cref="ClusterStartException">A running process of this cluster has the name.</exception>
    public void Claim(string siloName)
    {
        try
        {
            _name = new FileStream(System.IO.Path.Combine(Path, $"silo-{Uri.EscapeDataString(siloName)}.lock"), Lock);
        }
        catch (IOException fault)
        {
            Dispose();
            throw new ClusterStartException($"The silo name must be no other running process's; \"{siloName}\" cannot be had in \"{Path}\": {fault.Message} Give another with --silo-name.", fault);
        }
    }

    public void Dispose()
    {
        _name?.Dispose();
        _presence.Dispose();
    }

    private static FileStream OpenGate(string path)
    {
        using var patience = new CancellationTokenSource(GatePatience);
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (!patience.IsCancellationRequested)
            {
                // Another process is entering; that takes it milliseconds.
                patience.Token.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(20));
            }
        }
    }

    private static bool IsUnlocked(string path)
    {
        try
        {
            using var exclusive = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static byte[] ReadOrMakeKey(string path)
    {
        if (!File.Exists(path))
        {
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            }

            var temporary = path + ".tmp";
            File.Delete(temporary);
            using (var file = new FileStream(temporary, options))
            {
                file.Write(RandomNumberGenerator.GetBytes(KeyBytes));
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, path);
        }

        var key = File.ReadAllBytes(path);
        return key.Length == KeyBytes ? key : throw new InvalidDataException($"\"{path}\" must hold {KeyBytes} bytes; has {key.Length}.");
    }
}
