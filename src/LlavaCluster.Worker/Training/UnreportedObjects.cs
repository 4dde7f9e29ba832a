using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Worker.Training;

/// <summary>
/// Objects that trainers have stored, or are about to, and that their jobs have not heard of: a file each, named by job and object, in a folder for each silo, which outlives the process.
/// Any thread; of one silo's folder one process at a time, or whoever finds that silo dead.
/// </summary>
/// <param name="root">Shared by the silos of a data directory.</param>
internal sealed class UnreportedObjects(string root, string silo)
{
    private const char Separator = '~'; // in no tenant's, job's or object's name

    private string Folder => Path.Combine(root, Uri.EscapeDataString(silo));

    /// <summary>Before it is stored.</summary>
    /// <exception cref="IOException">The disk takes no more.</exception>
    public void Mark(TrainingJobKey job, ObjectId id)
    {
        File.WriteAllBytes(PathOf(Folder, job, id), []);
    }

    /// <summary>Its job has heard of it, or it was not stored.</summary>
    public void Forget(TrainingJobKey job, ObjectId id) => File.Delete(PathOf(Folder, job, id));

    /// <summary>What this silo has marked, and those that are dead.</summary>
    /// <param name="lives">Whether a silo of a name does.</param>
    public IReadOnlyList<Unreported> Left(Func<string, bool> lives)
    {
        var all = new DirectoryInfo(root);
        return !all.Exists ? [] :
        [
            .. from folder in all.EnumerateDirectories()
               where folder.FullName == Folder || !lives(Uri.UnescapeDataString(folder.Name))
               from file in folder.EnumerateFiles()
               let names = file.Name.Split(Separator)
               where names.Length == 3
               select new Unreported(TrainingJobKey.Parse($"{names[0]}/{names[1]}"), ObjectId.Parse(names[2]), file),
        ];
    }

    private static string PathOf(string folder, TrainingJobKey job, ObjectId id)
    {
        Directory.CreateDirectory(folder);
        return Path.Combine(folder, string.Join(Separator, job.Tenant.Value, job.Id, id.Value));
    }
}

/// <param name="Mark">To be deleted when the job has decided.</param>
internal sealed record Unreported(TrainingJobKey Job, ObjectId Object, FileInfo Mark);
