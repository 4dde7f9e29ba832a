using System.Collections.Immutable;
using LlavaCluster.Abstractions.Adapters;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Turns;

namespace LlavaCluster.Gateway.Adapters;

/// <summary>A tenant's adapters, and its models: the bases that are served and its adapters of them. What may be called again is, until it is answered.</summary>
internal sealed class TenantAdapters(TenantGrains grains, GrainCalls calls, IModelCatalog models)
{
    public static ChatFailure Unknown { get; } = new(ChatFailureKind.NotFound, "There is no such adapter.", "name");

    public static ChatFailure UnknownModel { get; } = new(ChatFailureKind.ModelNotFound, "model must be one of those in /v1/models.", "model");

    public Task<Outcome<ImmutableArray<AdapterInfo>>> ListAsync(TenantId tenant, CancellationToken cancellationToken) =>
        calls.RepeatAsync(() => grains.Adapters(tenant).ListAsync(cancellationToken), cancellationToken);

    public async Task<Outcome<AdapterInfo>> FindAsync(TenantId tenant, string name, CancellationToken cancellationToken)
    {
        var asked = await ListAsync(tenant, cancellationToken);
        return asked.IsFailure(out var failure, out var adapters) ? failure : adapters.FirstOrDefault(adapter => adapter.Name == name) is { } found ? found : Unknown;
    }

    public Task<Outcome<AdapterInfo>> PublishAsync(TenantId tenant, string name, AdapterVersion version, double? share, CancellationToken cancellationToken) =>
        AskAsync(tenant, adapters => adapters.PublishAsync(name, version, share, cancellationToken), cancellationToken);

    public Task<Outcome<AdapterInfo>> RouteAsync(TenantId tenant, string name, ObjectId version, double share, CancellationToken cancellationToken) =>
        AskAsync(tenant, adapters => adapters.RouteAsync(name, version, share, cancellationToken), cancellationToken);

    // Not repeated: each call takes the traffic one change further back.
    public async Task<Outcome<AdapterInfo>> RollBackAsync(TenantId tenant, string name, CancellationToken cancellationToken)
    {
        var asked = await calls.RepeatAsync(() => grains.Adapters(tenant).RollBackAsync(name, cancellationToken), TimeSpan.Zero, cancellationToken);
        return Answer(asked);
    }

    /// <summary>Removes a name with all its versions.</summary>
    /// <returns>False where there was none.</returns>
    public Task<Outcome<bool>> RemoveAsync(TenantId tenant, string name, CancellationToken cancellationToken) =>
        calls.RepeatAsync(() => grains.Adapters(tenant).RemoveAsync(name, cancellationToken), cancellationToken);

    /// <summary>The bases, then the tenant's adapters of those that are served.</summary>
    public async Task<Outcome<ImmutableArray<TenantModel>>> ModelsAsync(TenantId tenant, CancellationToken cancellationToken)
    {
        var asked = await ListAsync(tenant, cancellationToken);
        if (asked.IsFailure(out var failure, out var adapters))
        {
            return failure;
        }

        var cards = models.Models;
        var tuned = from adapter in adapters
                    let card = cards.FirstOrDefault(card => card.Name == adapter.Model)
                    where card is not null
                    select new TenantModel(card, adapter);
        return cards.Select(card => new TenantModel(card, null)).Concat(tuned).ToImmutableArray();
    }

    public async Task<Outcome<TenantModel>> FindModelAsync(TenantId tenant, string name, CancellationToken cancellationToken)
    {
        // A base needs no grain to be asked.
        if (models.Models.FirstOrDefault(card => card.Name == name) is { } card)
        {
            return new TenantModel(card, null);
        }

        var asked = await ModelsAsync(tenant, cancellationToken);
        return asked.IsFailure(out var failure, out var known) ? failure : known.FirstOrDefault(model => model.Name == name) is { } found ? found : UnknownModel;
    }

    private static Outcome<AdapterInfo> Answer(Outcome<AdapterAnswer> asked)
    {
        if (asked.IsFailure(out var lost, out var answer))
        {
            return lost;
        }

        return answer.Adapter is { } adapter ? adapter : answer.Failure ?? Unknown;
    }

    private async Task<Outcome<AdapterInfo>> AskAsync(TenantId tenant, Func<IAdaptersGrain, Task<AdapterAnswer>> call, CancellationToken cancellationToken) =>
        Answer(await calls.RepeatAsync(() => call(grains.Adapters(tenant)), cancellationToken));
}

/// <summary>A model that a tenant may ask for.</summary>
/// <param name="Adapter">Null for the base itself.</param>
internal sealed record TenantModel(ModelCard Card, AdapterInfo? Adapter)
{
    public string Name => Adapter is null ? Card.Name : $"{Card.Name}:{Adapter.Name}";

    /// <param name="tenant">Who asks.</param>
    public string Owner(TenantId tenant) => Adapter is null ? "llava" : tenant.Value;

    public DateTimeOffset CreatedAt => Adapter is { Versions: [var latest, ..] } ? latest.CreatedAt : Card.CreatedAt;
}
