using System.Collections.Immutable;
using LlavaCluster.Abstractions.Workers;

namespace LlavaCluster.Gateway;

/// <summary>The models that are served now, as the workers report them.</summary>
public interface IModelCatalog
{
    /// <summary>One card a name, in the order of names.</summary>
    ImmutableArray<ModelCard> Models { get; }

    /// <summary>The card of <c>name</c>, or of the base of <c>base:adapter</c>; null if it is not served. Whether the adapter exists its tenant's grain knows.</summary>
    ModelCard? Find(string model)
    {
        var colon = model.LastIndexOf(':');
        return Models.FirstOrDefault(card => card.Name == model)
            ?? (colon > 0 ? Models.FirstOrDefault(card => model.AsSpan(0, colon).SequenceEqual(card.Name)) : null);
    }
}
