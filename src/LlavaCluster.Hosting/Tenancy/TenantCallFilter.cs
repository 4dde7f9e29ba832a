using LlavaCluster.Abstractions.Identity;
using Microsoft.Extensions.Logging;
using Orleans;
using Orleans.Runtime;

namespace LlavaCluster.Hosting.Tenancy;

/// <summary>Denies every call to a tenant's grain that does not carry that tenant's stamp, streams included.</summary>
internal sealed partial class TenantCallFilter(TenantStamps stamps, ILogger<TenantCallFilter> logger) : IIncomingGrainCallFilter
{
    public Task Invoke(IIncomingGrainCallContext context)
    {
        // A grain's timers are its calls to itself, and come without the context of any caller.
        if (context.TargetContext?.GrainInstance is not ITenantScopedGrain || context.SourceId == context.TargetId)
        {
            return context.Invoke();
        }

        // An enumeration's later steps name it by an unguessable id; only its start must be fresh.
        var laterStep = context.InterfaceName.EndsWith("IAsyncEnumerableGrainExtension", StringComparison.Ordinal) && context.MethodName != "StartEnumeration";
        if (!stamps.Admit(context.TargetId.Key.ToString()!, fresh: !laterStep))
        {
            LogDenied(context.TargetId, context.InterfaceName, context.MethodName);
            throw new TenantMismatchException($"{context.InterfaceName}.{context.MethodName} on {context.TargetId} needs its tenant's stamp.");
        }

        return context.Invoke();
    }

    [LoggerMessage(LogLevel.Warning, "Denied {Interface}.{Method} on {Grain}: no valid stamp of its tenant")]
    private partial void LogDenied(GrainId grain, string @interface, string method);
}
