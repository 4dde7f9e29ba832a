using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Orleans.Runtime;

namespace LlavaCluster.Hosting.Operations;

/// <summary>Ready while the silo is an active member and not about to stop.</summary>
internal sealed class SiloHealthCheck(IHostApplicationLifetime lifetime, ISiloStatusOracle silo) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) => Task.FromResult(
        lifetime.ApplicationStopping.IsCancellationRequested ? HealthCheckResult.Unhealthy("stopping")
        : silo.CurrentStatus != SiloStatus.Active ? HealthCheckResult.Unhealthy($"silo is {silo.CurrentStatus}")
        : HealthCheckResult.Healthy());
}
