using System.Runtime.CompilerServices;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Hosting.Operations;
using LlavaCluster.Hosting.Placement;
using Orleans;
using Orleans.Placement;

namespace LlavaCluster.Worker;

/// <summary>The engine of this silo's device, as the cluster calls it.</summary>
[WorkerPlacement, Immovable]
internal sealed class ModelWorkerGrain(IEngineHost engine, RunningWork running) : Grain, IModelWorkerGrain
{
    public async IAsyncEnumerable<GenerateUpdate> GenerateAsync(GenerateRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // The engine has drained when it has drawn its last token; this silo has when the last one is read.
        running.Enter();
        try
        {
            await foreach (var update in engine.GenerateAsync(request, cancellationToken))
            {
                yield return update;
            }
        }
        finally
        {
            running.Leave();
        }
    }
}
