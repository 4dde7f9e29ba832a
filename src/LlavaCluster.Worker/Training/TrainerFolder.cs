using System.Security.Cryptography;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Storage.Objects;

namespace LlavaCluster.Worker.Training;

/// <summary>A trainer's files while it works on a job: copies of the tenant's objects, checked, and what is about to become one. Deleted with it. For the trainer's thread, which waits for the store.</summary>
internal sealed class TrainerFolder(IObjectStore objects, TenantId tenant, CancellationToken stop) : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("llava-trainer-");

    public string File(string name) => Path.Combine(_folder.FullName, name);

    /// <summary>A copy of an object.</summary>
    /// <returns>False where there is none, or its bytes are not those that it is named by.</returns>
    /// <exception cref="IOException">The disk takes no more.</exception>
    public bool TryFetch(ObjectId id, string name) => TryFetchAsync(id, File(name)).GetAwaiter().GetResult();

    /// <summary>Makes a file an object.</summary>
    public StoredObject Store(string name) => StoreAsync(File(name)).GetAwaiter().GetResult();

    public void Dispose() => _folder.Delete(recursive: true);

    private async Task<bool> TryFetchAsync(ObjectId id, string path)
    {
        await using var stored = await objects.OpenAsync(tenant, id, stop);
        if (stored is null)
        {
            return false;
        }

        await using (var copy = System.IO.File.Create(path))
        {
            await stored.CopyToAsync(copy, stop);
        }

        await using var written = System.IO.File.OpenRead(path);
        return ObjectId.OfHash(await SHA256.HashDataAsync(written, stop)) == id;
    }

    private async Task<StoredObject> StoreAsync(string path)
    {
        await using var file = System.IO.File.OpenRead(path);
        return await objects.PutAsync(tenant, file, long.MaxValue, stop);
    }
}
