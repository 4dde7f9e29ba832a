using System.Runtime.CompilerServices;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Hosting.Answers;
using LlavaCluster.Hosting.Operations;
using LlavaCluster.Hosting.Placement;
using LlavaCluster.Worker.Training;
using Microsoft.Extensions.Logging;
using Orleans;
using Orleans.Placement;

namespace LlavaCluster.Worker;

/// <summary>The engine of this silo's device, as the cluster calls it.</summary>
[WorkerPlacement, Immovable]
internal sealed class ModelWorkerGrain(IEngineHost engine, IEnumerable<Trainer> trainers, RunningWork running, ILogger<ModelWorkerGrain> logger) : Grain, IModelWorkerGrain
{
    private readonly AnswerLines _lines = new(engine, running, logger);

    public async IAsyncEnumerable<AnswerBatch> ListenAsync(Guid line, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var batch in _lines.ListenAsync(line, cancellationToken))
        {
            yield return batch;
        }
    }

    public Task<bool> AskAsync(Guid line, long answer, GenerateRequest request) => Task.FromResult(_lines.Ask(line, answer, request));

    public Task LeaveAsync(Guid line, long answer)
    {
        _lines.Leave(line, answer);
        return Task.CompletedTask;
    }

    public Task<ChatFailure?> CheckAdapterAsync(TenantId tenant, ObjectId adapter, CancellationToken cancellationToken) => engine.CheckAdapterAsync(tenant, adapter, cancellationToken);

    public async Task<ErasedCaches?> EraseAsync(TenantId tenant, CancellationToken cancellationToken)
    {
        var hasLeft = trainers.All(trainer => trainer.Erase(tenant));
        var caches = await engine.EraseAsync(tenant, cancellationToken);
        return hasLeft ? caches : null;
    }
}
