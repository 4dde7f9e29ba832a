using System.Runtime.CompilerServices;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Hosting.Answers;
using LlavaCluster.Hosting.Operations;
using LlavaCluster.Hosting.Placement;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Grains.Tests.Support;

/// <summary>A worker's grain over the engine that the test registered for its device.</summary>
[WorkerPlacement]
internal sealed class ScriptedWorkerGrain(ScriptedDevices devices, RunningWork running, ILogger<ScriptedWorkerGrain> logger) : Grain, IModelWorkerGrain
{
    private AnswerLines _lines = null!;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _lines = new AnswerLines(devices.Engine(this.GetPrimaryKeyString()), running, logger);
        return Task.CompletedTask;
    }

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

    public Task<ChatFailure?> CheckAdapterAsync(TenantId tenant, ObjectId adapter, CancellationToken cancellationToken) => devices.Engine(this.GetPrimaryKeyString()).CheckAdapterAsync(tenant, adapter, cancellationToken);

    public Task<ErasedCaches?> EraseAsync(TenantId tenant, CancellationToken cancellationToken) => devices.Engine(this.GetPrimaryKeyString()).EraseAsync(tenant, cancellationToken);
}
