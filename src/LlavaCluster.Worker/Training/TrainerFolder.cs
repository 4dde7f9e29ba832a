using System.Security.Cryptography;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Storage.Objects;

namespace LlavaCluster.Worker.Training;

/// <summary>A trainer's files while it works on a job: copies of the tenant's objects, checked, and what is about to become one. Deleted with it, and what a killed one left with the next. For the trainer's thread, which waits for the store.</summary>
internal sealed class TrainerFolder : IDisposable
{
    private readonly IObjectStore _objects;
    private readonly TrainingJobKey _job;
    private readonly UnreportedObjects _unreported;
    private readonly CancellationToken _stop;
    private readonly DirectoryInfo _folder;

    /// <param name="path">This trainer's alone.</param>
    /// <exception cref="IOException">It cannot be made.</exception>
    public TrainerFolder(string path, IObjectStore objects, TrainingJobKey job, UnreportedObjects unreported, CancellationToken stop)
    {
        (_objects, _job, _unreported, _stop, _folder) = (objects, job, unreported, stop, new DirectoryInfo(path));
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

    /// <summary>Makes a file an object, which is marked until its job has heard of it.</summary>
    public StoredObject Store(string name) => StoreAsync(File(name)).GetAwaiter().GetResult();

    public void Dispose() => _folder.Delete(recursive: true);

    private async Task<bool> TryFetchAsync(ObjectId id, string path)
    {
        await using var stored = await _objects.OpenAsync(_job.Tenant, id, _stop);
        return stored is not null && await ObjectCopy.WriteAsync(stored, id, path, long.MaxValue, _stop) == ObjectCopyOutcome.Whole;
    }

    private async Task<StoredObject> StoreAsync(string path)
    {
        await using var file = System.IO.File.OpenRead(path);
        var id = ObjectId.OfHash(await SHA256.HashDataAsync(file, _stop));
        _unreported.Mark(_job, id); // before it is there: a killed trainer leaves no object that nobody knows
        file.Position = 0;
        var stored = await _objects.PutAsync(_job.Tenant, file, long.MaxValue, _stop);
        if (stored.Fault is not null)
        {
            _unreported.Forget(_job, id);
        }

        return stored;
    }
}
