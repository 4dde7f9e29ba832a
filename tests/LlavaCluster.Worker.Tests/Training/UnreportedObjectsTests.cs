using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Storage.Objects;
using LlavaCluster.Worker.Training;

namespace LlavaCluster.Worker.Tests.Training;

public sealed class UnreportedObjectsTests : IDisposable
{
    private static readonly TrainingJobKey Job = TrainingJobKey.New(TenantId.Parse("acme"));

    private readonly string _folder = Directory.CreateTempSubdirectory("llava-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Left_AreThisSilosAndThoseOfDeadOnes_UntilTheyAreForgotten()
    {
        var root = Path.Combine(_folder, "unreported");
        var (ours, dead, living) = (new UnreportedObjects(root, "a/1"), new UnreportedObjects(root, "b"), new UnreportedObjects(root, "c"));
        Assert.Empty(ours.Left(_ => true));
        ObjectId[] ids = [ObjectId.Of([1]), ObjectId.Of([2]), ObjectId.Of([3])];
        ours.Mark(Job, ids[0]);
        ours.Mark(Job, ids[0]);
        dead.Mark(Job, ids[1]);
        living.Mark(Job, ids[2]);

        Assert.Equal([(Job, ids[0]), (Job, ids[1])], ours.Left(silo => silo == "c").Select(left => (left.Job, left.Object)).OrderBy(left => Array.IndexOf(ids, left.Object)));
        ours.Forget(Job, ids[0]);
        ours.Forget(Job, ids[0]);
        Assert.Empty(ours.Left(_ => true));
    }

    [Fact]
    public void Store_MarksBeforeTheObjectIsThere_AndNotWhatWasRefused()
    {
        var root = Path.Combine(_folder, "unreported");
        var unreported = new UnreportedObjects(root, "a");
        using var folder = new TrainerFolder(Path.Combine(_folder, "work"), new DirectoryObjectStore(Path.Combine(_folder, "objects"), maxTenantBytes: 3), Job, unreported, CancellationToken.None);
        File.WriteAllBytes(folder.File("state"), [1, 2, 3]);
        File.WriteAllBytes(folder.File("more"), [4]);

        var stored = folder.Store("state");
        Assert.NotNull(folder.Store("more").Fault);

        Assert.Equal([(Job, stored.Id)], unreported.Left(_ => true).Select(left => (left.Job, left.Object)));
        Assert.True(folder.TryFetch(stored.Id, "copy"));
        Assert.Equal([1, 2, 3], File.ReadAllBytes(folder.File("copy")));
    }
}
