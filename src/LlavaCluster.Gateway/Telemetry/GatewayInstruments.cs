using System.Diagnostics;
using System.Diagnostics.Metrics;
using LlavaCluster.Abstractions.Chat;

namespace LlavaCluster.Gateway.Telemetry;

/// <summary>What the gateway measures, under OpenTelemetry's GenAI names (semantic conventions, status Development). Never content, never a tenant's name.</summary>
internal sealed class GatewayInstruments : IDisposable
{
    /// <summary>The name of the meter and of the activity source.</summary>
    public const string Name = "LlavaCluster.Gateway";

    private static readonly double[] DurationBuckets = [.01, .02, .04, .08, .16, .32, .64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
    private static readonly double[] FirstTokenBuckets = [.001, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10];

    private readonly Meter _meter;
    private readonly ActivitySource _source = new(Name);

    public GatewayInstruments(IMeterFactory meters)
    {
        _meter = meters.Create(Name);
        Duration = Seconds("gen_ai.server.request.duration", DurationBuckets);
        FirstToken = Seconds("gen_ai.server.time_to_first_token", FirstTokenBuckets);
        PerToken = Seconds("gen_ai.server.time_per_output_token", FirstTokenBuckets);
        Tokens = _meter.CreateHistogram<long>("gen_ai.client.token.usage", "{token}");
    }

    public Histogram<double> Duration { get; }

    public Histogram<double> FirstToken { get; }

    public Histogram<double> PerToken { get; }

    public Histogram<long> Tokens { get; }

    public ChatOperation Begin(string model, GenerationOptions options) => new(this, _source.StartActivity($"chat {model}", ActivityKind.Internal), model, options);

    public void Dispose()
    {
        _source.Dispose();
        _meter.Dispose();
    }

    private Histogram<double> Seconds(string name, double[] buckets) =>
        _meter.CreateHistogram(name, "s", advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = buckets });
}
