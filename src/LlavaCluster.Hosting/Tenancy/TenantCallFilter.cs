using LlavaCluster.Abstractions.Identity;
using Microsoft.Extensions.Logging;
using Orleans;
using Orleans.Runtime;

namespace LlavaCluster.Hosting.Tenancy;

/// <summary>Denies every call to a tenant's grain that does not carry that tenant's stamp, streams included.</summary>
internal sealed partial class TenantCallFilter(TenantStamps stamps, ILogger<TenantCallFilter> logger) : IIncomingGrainCallFilter
{
    private const string GrainTimer = "IGrainTimerInvoker";

    public Task Invoke(IIncomingGrainCallContext context)
    {
        // A grain's own timer comes through here too. It acts for nobody but its grain, and only the grain's own silo can run it.
        if (context.TargetContext?.GrainInstance is not ITenantScopedGrain || context.InterfaceName == GrainTimer)
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
