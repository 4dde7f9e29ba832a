using System.Runtime.InteropServices;
using LlavaCluster.Abstractions.Identity;
using Microsoft.Win32.SafeHandles;

namespace LlavaCluster.Storage.Objects;

/// <summary>
/// Objects as files, <c>{root}/{tenant}/{first two digits}/{digest}</c>. A file appears under its name only when its bytes are on the disk:
/// written to a temporary name, synced, renamed, and the directory synced.
/// </summary>
/// <param name="maxTenantBytes">Most bytes a tenant may store; null for no limit.</param>
public sealed class DirectoryObjectStore(string root, long? maxTenantBytes = null) : IObjectStore
{
    private const int DiskFull = unchecked((int)0x80070070);
    private const int PosixNoSpace = 28;

    public Task<StorageFault?> PutAsync(TenantId tenant, ImageId id, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        Task.Run(() => Put(tenant, id, content.Span), cancellationToken);

    public Task<Stream?> OpenAsync(TenantId tenant, ImageId id, CancellationToken cancellationToken)
    {
        try
        {
            return Task.FromResult<Stream?>(new FileStream(PathOf(tenant, id), FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, 1 << 16, useAsync: true));
        }
        catch (Exception fault) when (fault is FileNotFoundException or DirectoryNotFoundException)
        {
            return Task.FromResult<Stream?>(null);
        }
    }

    public Task<bool> DeleteAsync(TenantId tenant, ImageId id, CancellationToken cancellationToken) => Task.Run(
        () =>
        {
            var path = PathOf(tenant, id);
            if (!File.Exists(path))
            {
                return false;
            }

            File.Delete(path);
            return true;
        },
        cancellationToken);

    public Task<ObjectTotals> TotalsAsync(TenantId tenant, CancellationToken cancellationToken) => Task.Run(() => Totals(tenant), cancellationToken);

    public Task<ObjectTotals> EraseAsync(TenantId tenant, CancellationToken cancellationToken) => Task.Run(
        () =>
        {
            var totals = Totals(tenant);
            var folder = Path.Combine(root, tenant.Value);
            if (Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: true);
            }

            return totals;
        },
        cancellationToken);

    private StorageFault? Put(TenantId tenant, ImageId id, ReadOnlySpan<byte> content)
    {
        var path = PathOf(tenant, id);
        if (File.Exists(path))
        {
            return null;
        }

        if (maxTenantBytes is { } most && Totals(tenant).Bytes + content.Length > most)
        {
            return StorageFault.Full;
        }

        var folder = Path.GetDirectoryName(path)!;
        var temporary = Path.Combine(folder, $".{Guid.NewGuid():n}.tmp");
        try
        {
            Directory.CreateDirectory(folder);
            using (var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write))
            {
                file.Write(content);
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
            SyncDirectory(folder);
            SyncDirectory(Path.GetDirectoryName(folder)!);
            return null;
        }
        catch (IOException fault)
        {
            if (File.Exists(temporary))
            {
                File.Delete(temporary);
            }

            return fault.HResult is DiskFull or PosixNoSpace ? StorageFault.Full : StorageFault.Unavailable;
        }
    }

    private ObjectTotals Totals(TenantId tenant)
    {
        var folder = new DirectoryInfo(Path.Combine(root, tenant.Value));
        var lengths = folder.Exists ? folder.EnumerateFiles("*", SearchOption.AllDirectories).Where(file => file.Name[0] != '.').Select(file => file.Length).ToArray() : [];
        return new ObjectTotals(lengths.Length, lengths.Sum());
    }

    private string PathOf(TenantId tenant, ImageId id) => Path.Combine(root, tenant.Value, id.Value[..2], id.Value);

    /// <summary>Makes a rename durable. Only POSIX systems have directories that can be synced; elsewhere the journal does it.</summary>
    private static void SyncDirectory(string folder)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        using var handle = Posix.Open(folder, 0);
        if (handle.IsInvalid || Posix.Sync(handle) != 0)
        {
            throw new IOException($"\"{folder}\" cannot be synced: {Marshal.GetLastPInvokeErrorMessage()}");
        }
    }

    private static class Posix
    {
        [DllImport("libc", EntryPoint = "open", SetLastError = true)]
        public static extern SafeFileHandle Open([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags);

        [DllImport("libc", EntryPoint = "fsync", SetLastError = true)]
        public static extern int Sync(SafeFileHandle file);
    }
}
