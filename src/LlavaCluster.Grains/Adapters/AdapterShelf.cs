using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using LlavaCluster.Abstractions.Adapters;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Storage.Adapters;

namespace LlavaCluster.Grains.Adapters;

/// <summary>What may be done with a tenant's adapters, as changes of one record. Pure; every change makes a new record or says why not.</summary>
internal static class AdapterShelf
{
    public const int MostNames = 1000;
    public const int MostVersions = 100;
    private const int MostBefore = 20;

    /// <param name="share">Of the traffic; null leaves it as it is, where the name has a version already.</param>
    public static (AdapterRecord Record, ChatFailure? Failure) Publish(AdapterRecord record, string name, AdapterVersion version, double? share)
    {
        if (Find(record, name) is not { } known)
        {
            return record.Adapters.Length < MostNames
                ? (record with { Adapters = record.Adapters.Add(new StoredAdapter(new AdapterInfo(name, version.Model, version.Object, null, 0, [version]), [])) }, null)
                : Refuse(record, ChatFailureKind.QuotaExceeded, $"A tenant has at most {MostNames} adapters.", "name");
        }

        if (known.Info.Model != version.Model)
        {
            return Refuse(record, ChatFailureKind.Conflict, $"The adapter \"{name}\" must be one of {known.Info.Model}; the new version is one of {version.Model}.", "model");
        }

        if (known.Info.Versions.All(old => old.Object != version.Object))
        {
            if (known.Info.Versions.Length >= MostVersions)
            {
                return Refuse(record, ChatFailureKind.QuotaExceeded, $"An adapter has at most {MostVersions} versions; remove \"{name}\" or take another name.", "name");
            }

            known = known with { Info = known.Info with { Versions = known.Info.Versions.Insert(0, version) } };
            record = Put(record, known);
        }

        return share is { } part ? Route(record, name, version.Object, part) : (record, null);
    }

    public static (AdapterRecord Record, ChatFailure? Failure) Route(AdapterRecord record, string name, ObjectId version, double share)
    {
        if (Find(record, name) is not { } known)
        {
            return Unknown(record, name);
        }

        if (known.Info.Versions.All(old => old.Object != version))
        {
            return Refuse(record, ChatFailureKind.NotFound, $"The adapter \"{name}\" has no version {version}.", "version");
        }

        if (share is not (>= 0 and <= 1))
        {
            return Refuse(record, ChatFailureKind.InvalidRequest, $"share must be 0 to 1; was {share}.", "share");
        }

        var now = Traffic(known.Info);
        if (version == now.InUse && share < 1)
        {
            return Refuse(record, ChatFailureKind.Conflict, $"Version {version} is in use; give a share to another one, or roll back.", "version");
        }

        var next = share >= 1 ? new AdapterTraffic(version, null, 0)
            : share > 0 ? now with { OnTrial = version, TrialShare = share }
            : now.OnTrial == version ? new AdapterTraffic(now.InUse, null, 0)
            : now;
        return (next == now ? record : Put(record, Send(known, next) with { Before = [now, .. known.Before.Take(MostBefore - 1)] }), null);
    }

    public static (AdapterRecord Record, ChatFailure? Failure) RollBack(AdapterRecord record, string name)
    {
        if (Find(record, name) is not { } known)
        {
            return Unknown(record, name);
        }

        return known.Before is [var last, .. var rest]
            ? (Put(record, Send(known, last) with { Before = rest }), null)
            : Refuse(record, ChatFailureKind.Conflict, $"The traffic of \"{name}\" has not changed yet; there is nothing to roll back to.", "name");
    }

    /// <summary>The record without a name, and the objects that no other name has.</summary>
    public static (AdapterRecord Record, ImmutableArray<ObjectId> Orphans) Remove(AdapterRecord record, string name)
    {
        if (Find(record, name) is not { } known)
        {
            return (record, []);
        }

        var left = record with { Adapters = record.Adapters.Remove(known) };
        var kept = left.Adapters.SelectMany(adapter => adapter.Info.Versions).Select(version => version.Object).ToHashSet();
        return (left, [.. known.Info.Versions.Select(version => version.Object).Where(version => !kept.Contains(version))]);
    }

    /// <summary>The version that answers a conversation: the one on trial for as much of the keys' hash space as its share.</summary>
    public static ObjectId? Resolve(AdapterRecord record, string model, string name, string affinityKey)
    {
        if (Find(record, name) is not { } known || known.Info.Model != model)
        {
            return null;
        }

        return known.Info.OnTrial is { } trial && Place(name, affinityKey) < known.Info.TrialShare ? trial : known.Info.InUse;
    }

    public static StoredAdapter? Find(AdapterRecord record, string name) => record.Adapters.FirstOrDefault(adapter => adapter.Info.Name == name);

    // A name's own hash, so that it is not the same conversations that try every adapter out.
    private static double Place(string name, string affinityKey) =>
        BitConverter.ToUInt32(SHA256.HashData(Encoding.UTF8.GetBytes($"{name}\n{affinityKey}"))) / (uint.MaxValue + 1.0);

    private static AdapterTraffic Traffic(AdapterInfo info) => new(info.InUse, info.OnTrial, info.TrialShare);

    private static StoredAdapter Send(StoredAdapter adapter, AdapterTraffic traffic) =>
        adapter with { Info = adapter.Info with { InUse = traffic.InUse, OnTrial = traffic.OnTrial, TrialShare = traffic.TrialShare } };

    private static AdapterRecord Put(AdapterRecord record, StoredAdapter adapter) =>
        record with { Adapters = [.. record.Adapters.Select(old => old.Info.Name == adapter.Info.Name ? adapter : old)] };

    private static (AdapterRecord, ChatFailure?) Unknown(AdapterRecord record, string name) => Refuse(record, ChatFailureKind.NotFound, $"There is no adapter \"{name}\".", "name");

    private static (AdapterRecord, ChatFailure?) Refuse(AdapterRecord record, ChatFailureKind kind, string message, string field) => (record, new ChatFailure(kind, message, field));
}
