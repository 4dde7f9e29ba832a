using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Storage.Objects;

namespace LlavaCluster.Worker.Training;

/// <summary>A trainer's files while it works on a job: copies of the tenant's objects, checked, and what is about to become one. Deleted with it, and what a killed one left with the next. For the trainer's thread, which waits for the store.</summary>
internal sealed class TrainerFolder : IDisposable
{
    private readonly IObjectStore _objects;
    private readonly TenantId _tenant;
    private readonly CancellationToken _stop;
    private readonly DirectoryInfo _folder;

    /// <param name="path">This trainer's alone.</param>
    /// <exception cref="IOException">It cannot be made.</exception>
    public TrainerFolder(string path, IObjectStore objects, TenantId tenant, CancellationToken stop)
    {
        (_objects, _tenant, _stop, _folder) = (objects, tenant, stop, new DirectoryInfo(path));
        if (_folder.Exists)
        {
            _folder.Delete(recursive: true);
        }

        _folder.Create();
    }

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
        await using var stored = await _objects.OpenAsync(_tenant, id, _stop);
        return stored is not null && await ObjectCopy.WriteAsync(stored, id, path, long.MaxValue, _stop) == ObjectCopyOutcome.Whole;
    }

    private async Task<StoredObject> StoreAsync(string path)
    {
        await using var file = System.IO.File.OpenRead(path);
        return await _objects.PutAsync(_tenant, file, long.MaxValue, _stop);
    }
}
