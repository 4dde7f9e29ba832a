using System.Runtime.CompilerServices;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Hosting.Placement;

namespace LlavaCluster.Grains.Tests.Support;

/// <summary>A worker's grain over the engine that the test registered for its device.</summary>
[WorkerPlacement]
internal sealed class ScriptedWorkerGrain(ScriptedDevices devices) : Grain, IModelWorkerGrain
{
    public async IAsyncEnumerable<GenerateUpdate> GenerateAsync(GenerateRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var update in devices.Engine(this.GetPrimaryKeyString()).GenerateAsync(request, cancellationToken))
        {
            yield return update;
        }
    }
}
