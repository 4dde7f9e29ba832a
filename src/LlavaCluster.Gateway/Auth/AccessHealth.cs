using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace LlavaCluster.Gateway.Auth;

/// <summary>The gateway can answer once it knows whom.</summary>
internal sealed class AccessHealth(AccessPolicy policy) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(policy.Current == AccessPolicy.Mode.Undecided ? HealthCheckResult.Unhealthy("starting") : HealthCheckResult.Healthy());
}
