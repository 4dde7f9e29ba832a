using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace LlavaCluster.Hosting.Operations;

/// <summary>
/// Metrics and traces of every role. Meters and sources named <c>Llava*</c> are exported; OTLP where the standard variable names an endpoint. Without one no spans are made: each
/// call between grains would make two, for nobody.
/// </summary>
internal static class Telemetry
{
    /// <summary>Whether somebody takes what is traced.</summary>
    public static bool IsExported(IConfiguration configuration) => !string.IsNullOrEmpty(configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]);

    public static void Add(IServiceCollection services, IConfiguration configuration, string siloName)
    {
        var telemetry = services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService("llava", serviceInstanceId: siloName))
            .WithMetrics(metrics => metrics
                .AddMeter("Microsoft.Orleans", "Llava*", "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Runtime")
                .AddPrometheusExporter());
        if (IsExported(configuration))
        {
            telemetry.WithTracing(traces => traces.AddSource("Microsoft.Orleans.Application", "Llava*").AddAspNetCoreInstrumentation()).UseOtlpExporter();
        }
    }
}
