using CsCheck;
using LlavaCluster.Abstractions.Adapters;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Grains.Adapters;
using LlavaCluster.Storage.Adapters;

namespace LlavaCluster.Grains.Tests.Adapters;

public sealed class AdapterShelfTests
{
    private static readonly AdapterRecord Empty = new(0, []);
    private static readonly double[] Shares = [0, 0.2, 0.7, 1];

    [Fact]
    public void FirstVersion_AnswersForItsBaseOnly()
    {
        var record = Publish(Empty, "formal", 1, share: 0.1);

        Assert.Equal(Version(1).Object, AdapterShelf.Resolve(record, "base", "formal", "any"));
        Assert.Null(AdapterShelf.Resolve(record, "other", "formal", "any"));
        Assert.Null(AdapterShelf.Resolve(record, "base", "unknown", "any"));
    }

    [Fact]
    public void Trial_AnswersItsShareOfTheConversations_AndTheSameOnesWhileItGrows()
    {
        var record = Publish(Publish(Empty, "formal", 1, null), "formal", 2, 0.3);
        var keys = Enumerable.Range(0, 10_000).Select(n => $"conversation {n}").ToArray();
        var tried = keys.Where(key => AdapterShelf.Resolve(record, "base", "formal", key) == Version(2).Object).ToHashSet();
        Assert.InRange(tried.Count, 2_800, 3_200);

        record = Ok(AdapterShelf.Route(record, "formal", Version(2).Object, 0.6));
        Assert.True(tried.IsSubsetOf(keys.Where(key => AdapterShelf.Resolve(record, "base", "formal", key) == Version(2).Object)));

        record = Ok(AdapterShelf.Route(record, "formal", Version(2).Object, 0));
        Assert.All(keys, key => Assert.Equal(Version(1).Object, AdapterShelf.Resolve(record, "base", "formal", key)));
    }

    [Fact]
    public void RollBack_UndoesAnyChangesInTheirOrder() => Gen.Select(Gen.Int[1, 4], Gen.Int[0, 3].Select(n => Shares[n])).Array[0, 12].Sample(changes =>
    {
        var record = Enumerable.Range(1, 4).Aggregate(Empty, (shelf, n) => Publish(shelf, "formal", n, null));
        var states = new Stack<AdapterRecord>([record]);
        foreach (var (version, share) in changes)
        {
            var (next, failure) = AdapterShelf.Route(record, "formal", Version(version).Object, share);
            if (failure is null && next != record)
            {
                states.Push(record = next);
            }
        }

        while (states.Count > 1)
        {
            states.Pop();
            record = Ok(AdapterShelf.RollBack(record, "formal"));
            var (expected, actual) = (states.Peek().Adapters[0].Info, record.Adapters[0].Info);
            Assert.Equal((expected.InUse, expected.OnTrial, expected.TrialShare), (actual.InUse, actual.OnTrial, actual.TrialShare));
        }

        Assert.Equal(ChatFailureKind.Conflict, AdapterShelf.RollBack(record, "formal").Failure!.Kind);
    });

    [Fact]
    public void Change_OfWhatIsNotThere_SaysWhatIsMissing()
    {
        var record = Publish(Empty, "formal", 1, null);

        Assert.Equal(ChatFailureKind.NotFound, AdapterShelf.Route(record, "unknown", Version(1).Object, 1).Failure!.Kind);
        Assert.Equal("version", AdapterShelf.Route(record, "formal", Version(2).Object, 1).Failure!.Field);
        Assert.Contains("1.5", AdapterShelf.Route(record, "formal", Version(1).Object, 1.5).Failure!.Message, StringComparison.Ordinal);
        Assert.Equal(ChatFailureKind.Conflict, AdapterShelf.Route(record, "formal", Version(1).Object, 0.5).Failure!.Kind);
        Assert.Equal("model", AdapterShelf.Publish(record, "formal", Version(2) with { Model = "other" }, null).Failure!.Field);
    }

    [Fact]
    public void Remove_LeavesTheObjectsThatAnotherNameHas()
    {
        var record = Publish(Publish(Publish(Empty, "a", 1, null), "a", 2, null), "b", 2, null);

        var (left, orphans) = AdapterShelf.Remove(record, "a");

        Assert.Equal([Version(1).Object], orphans);
        Assert.Equal(["b"], left.Adapters.Select(adapter => adapter.Info.Name));
    }

    private static AdapterVersion Version(int n) => new(ObjectId.Of([(byte)n]), "base", DateTimeOffset.UnixEpoch, 1, null, double.NaN, double.NaN);

    private static AdapterRecord Publish(AdapterRecord record, string name, int version, double? share) => Ok(AdapterShelf.Publish(record, name, Version(version), share));

    private static AdapterRecord Ok((AdapterRecord Record, ChatFailure? Failure) change)
    {
        Assert.Null(change.Failure);
        return change.Record;
    }
}
