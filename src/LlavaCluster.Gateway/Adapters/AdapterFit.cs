using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Turns;
using LlavaCluster.Grains.Workers;

namespace LlavaCluster.Gateway.Adapters;

/// <summary>Asks a worker that serves the base: it reads the adapter as it would to answer with it. A worker that is lost meanwhile is replaced by another.</summary>
internal sealed class AdapterFit(IGrainFactory grains, WorkerTable workers, GrainCalls calls) : IAdapterFit
{
    private const string Field = "file"; // as this API calls it

    public async Task<ChatFailure?> RefusalAsync(TenantId tenant, string model, ObjectId adapter, CancellationToken cancellationToken)
    {
        var asked = await calls.RepeatAsync(() => AskAsync(tenant, model, adapter, cancellationToken), cancellationToken);
        return (asked.IsFailure(out var lost, out var refusal) ? lost : refusal.Failure) is { } failure ? failure with { Field = Field } : null;
    }

    private async Task<Answer> AskAsync(TenantId tenant, string model, ObjectId adapter, CancellationToken cancellationToken)
    {
        var worker = workers.Live.Where(load => load.Ready && load.Models.Any(card => card.Name == model)).Select(load => (WorkerKey?)load.Worker).FirstOrDefault();
        return new Answer(worker is { } ready
            ? await grains.GetGrain<IModelWorkerGrain>(ready.ToString()).CheckAdapterAsync(tenant, adapter, cancellationToken)
            : new ChatFailure(ChatFailureKind.ModelUnavailable, $"No worker that serves {model} is ready to look at the adapter.", Field, TimeSpan.FromSeconds(2)));
    }

    /// <summary>An outcome has a value.</summary>
    private readonly record struct Answer(ChatFailure? Failure);
}
