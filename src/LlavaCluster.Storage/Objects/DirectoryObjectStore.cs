using System.Buffers;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
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
    private const int CopyBytes = 1 << 17;

    public Task<StorageFault?> PutAsync(TenantId tenant, ObjectId id, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        Task.Run(() => Put(tenant, id, content.Span), cancellationToken);

    public async Task<StoredObject> PutAsync(TenantId tenant, Stream content, long mostBytes, CancellationToken cancellationToken)
    {
        var temporary = Temporary(tenant);
        try
        {
            var (id, bytes, tooLong) = await CopyAsync(content, temporary, mostBytes, cancellationToken);
            if (tooLong)
            {
                return new StoredObject(default, bytes, TooLong: true);
            }

            var path = PathOf(tenant, id);
            if (!File.Exists(path))
            {
                if (!HasRoom(tenant, bytes))
                {
                    return new StoredObject(id, bytes, StorageFault.Full);
                }

                await StoredAsync(() =>
                {
                    Publish(temporary, path);
                    return Task.FromResult(path);
                });
            }

            return new StoredObject(id, bytes);
        }
        catch (NotStoredException fault)
        {
            return new StoredObject(default, 0, FaultOf(fault.InnerException!));
        }
        finally
        {
            Drop(temporary);
        }
    }

    public Task<Stream?> OpenAsync(TenantId tenant, ObjectId id, CancellationToken cancellationToken)
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

    public Task<bool> DeleteAsync(TenantId tenant, ObjectId id, CancellationToken cancellationToken) => Task.Run(
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

    public async Task DeleteUnlessAsync(TenantId tenant, ObjectId id, Func<Task<bool>> isNeeded)
    {
        var (path, aside) = (PathOf(tenant, id), Temporary(tenant));
        if (!File.Exists(path) || await isNeeded())
        {
            return;
        }

        try
        {
            File.Move(path, aside);
        }
        catch (FileNotFoundException)
        {
            return; // another has deleted it
        }

        var isGone = false;
        try
        {
            isGone = !await isNeeded();
        }
        finally
        {
            if (isGone)
            {
                Drop(aside);
            }
            else
            {
                File.Move(aside, path, overwrite: true);
            }
        }
    }

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

    private StorageFault? Put(TenantId tenant, ObjectId id, ReadOnlySpan<byte> content)
    {
        var path = PathOf(tenant, id);
        if (File.Exists(path))
        {
            return null;
        }

        if (!HasRoom(tenant, content.Length))
        {
            return StorageFault.Full;
        }

        var temporary = Temporary(tenant);
        try
        {
            using (var file = Create(temporary))
            {
                file.Write(content);
                file.Flush(flushToDisk: true);
            }

            Publish(temporary, path);
            return null;
        }
        catch (IOException fault)
        {
            Drop(temporary);
            return FaultOf(fault);
        }
    }

    private async Task<(ObjectId Id, long Bytes, bool TooLong)> CopyAsync(Stream content, string temporary, long mostBytes, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = ArrayPool<byte>.Shared.Rent(CopyBytes);
        try
        {
            await using var file = await StoredAsync(() => Task.FromResult(Create(temporary)));
            var bytes = 0L;
            while (await content.ReadAsync(buffer, cancellationToken) is > 0 and var read)
            {
                bytes += read;
                if (bytes > mostBytes)
                {
                    return (default, bytes, true);
                }

                hash.AppendData(buffer, 0, read);
                await StoredAsync(async () =>
                {
                    await file.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
                    return read;
                });
            }

            await StoredAsync(() =>
            {
                file.Flush(flushToDisk: true);
                return Task.FromResult(bytes);
            });
            return (ObjectId.OfHash(hash.GetHashAndReset()), bytes, false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    // Tells a store that takes no more from a stream that gives no more.
    private static async Task<T> StoredAsync<T>(Func<Task<T>> work)
    {
        try
        {
            return await work();
        }
        catch (IOException fault)
        {
            throw new NotStoredException(fault);
        }
    }

    private bool HasRoom(TenantId tenant, long bytes) => maxTenantBytes is not { } most || Totals(tenant).Bytes + bytes <= most;

    private string Temporary(TenantId tenant) => Path.Combine(root, tenant.Value, $".{Guid.NewGuid():n}.tmp");

    private static FileStream Create(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, CopyBytes, useAsync: true);
    }

    private static void Drop(string temporary)
    {
        if (File.Exists(temporary))
        {
            File.Delete(temporary);
        }
    }

    private static void Publish(string temporary, string path)
    {
        var folder = Path.GetDirectoryName(path)!;
        Directory.CreateDirectory(folder);
        File.Move(temporary, path, overwrite: true);
        SyncDirectory(folder);
        SyncDirectory(Path.GetDirectoryName(folder)!);
    }

    private static StorageFault FaultOf(Exception fault) => fault.HResult is DiskFull or PosixNoSpace ? StorageFault.Full : StorageFault.Unavailable;

    private ObjectTotals Totals(TenantId tenant)
    {
        var folder = new DirectoryInfo(Path.Combine(root, tenant.Value));
        var lengths = folder.Exists ? folder.EnumerateFiles("*", SearchOption.AllDirectories).Where(file => file.Name[0] != '.').Select(file => file.Length).ToArray() : [];
        return new ObjectTotals(lengths.Length, lengths.Sum());
    }

    private string PathOf(TenantId tenant, ObjectId id) => Path.Combine(root, tenant.Value, id.Value[..2], id.Value);

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

    private sealed class NotStoredException(IOException fault) : Exception(fault.Message, fault);

    private static class Posix
    {
        [DllImport("libc", EntryPoint = "open", SetLastError = true)]
        public static extern SafeFileHandle Open([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags);

        [DllImport("libc", EntryPoint = "fsync", SetLastError = true)]
        public static extern int Sync(SafeFileHandle file);
    }
}
