using System.Diagnostics.Metrics;

namespace LlavaCluster.Engine;

/// <summary>The engine's metrics, <c>llava_engine_*</c>. Times in seconds; no tenant labels.</summary>
public sealed class EngineInstruments : IDisposable
{
    public const string MeterName = "LlavaCluster.Engine";

    private static readonly double[] FirstToken = [.001, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 20, 40, 80];
    private static readonly double[] BetweenTokens = [.001, .0025, .005, .01, .025, .05, .075, .1, .15, .2, .3, .4, .5, .75, 1, 2.5, 5];

    private readonly Meter _meter;
    private readonly Histogram<double> _firstToken;
    private readonly Histogram<double> _betweenTokens;
    private readonly Histogram<double> _step;
    private readonly Histogram<int> _stepTokens;
    private readonly Histogram<double> _request;
    private readonly Counter<long> _generated;
    private readonly Counter<long> _prompt;
    private readonly Counter<long> _cached;
    private readonly Counter<long> _guesses;
    private readonly Counter<long> _rightGuesses;
    private readonly Counter<long> _preemptions;
    private readonly Counter<long> _rejections;
    private readonly Counter<long> _adapterLoads;
    private readonly Counter<long> _adapterEvictions;

    /// <param name="factory">The host's; null makes a meter of its own.</param>
    public EngineInstruments(IMeterFactory? factory = null)
    {
        _meter = factory?.Create(MeterName) ?? new Meter(MeterName);
        _firstToken = Histogram("llava_engine_time_to_first_token_seconds", "From submission to the first token.", FirstToken);
        _betweenTokens = Histogram("llava_engine_inter_token_seconds", "Between two tokens of a request.", BetweenTokens);
        _step = Histogram("llava_engine_step_seconds", "One step, planning to publishing.", BetweenTokens);
        _request = Histogram("llava_engine_request_seconds", "From submission to the end.", FirstToken);
        _stepTokens = _meter.CreateHistogram<int>("llava_engine_step_tokens", "{token}", "Tokens computed in a step.");
        _generated = _meter.CreateCounter<long>("llava_engine_generated_tokens", "{token}");
        _prompt = _meter.CreateCounter<long>("llava_engine_prompt_tokens", "{token}");
        _cached = _meter.CreateCounter<long>("llava_engine_cached_prompt_tokens", "{token}", "Prompt tokens found in the prefix cache.");
        _guesses = _meter.CreateCounter<long>("llava_engine_guessed_tokens", "{token}", "Tokens computed on a guess of how the text goes on.");
        _rightGuesses = _meter.CreateCounter<long>("llava_engine_right_guesses", "{token}", "Guesses that were the token drawn.");
        _preemptions = _meter.CreateCounter<long>("llava_engine_preemptions", "{sequence}");
        _adapterLoads = _meter.CreateCounter<long>("llava_engine_adapter_loads", "{adapter}");
        _adapterEvictions = _meter.CreateCounter<long>("llava_engine_adapter_evictions", "{adapter}");
        _rejections = _meter.CreateCounter<long>("llava_engine_rejections", "{request}");
    }

    /// <summary>Publishes the gauges of one engine: queue, running, KV use, hit rates.</summary>
    public void Observe(Func<EngineStatus> status)
    {
        _meter.CreateObservableGauge("llava_engine_running_sequences", () => status().Running);
        _meter.CreateObservableGauge("llava_engine_waiting_sequences", () => status().Waiting);
        _meter.CreateObservableGauge("llava_engine_kv_usage_ratio", () => Ratio(status().TotalBlocks - status().FreeBlocks, status().TotalBlocks));
        _meter.CreateObservableGauge("llava_engine_image_cache_usage_ratio", () => Ratio(status().ImageTokensCached, status().ImageTokenBudget));
        _meter.CreateObservableGauge("llava_engine_adapters", () => status().Adapters, "{adapter}", "LoRA adapters on the device.");
        _meter.CreateObservableGauge("llava_engine_adapter_bytes", () => status().AdapterBytes, "By");
        _meter.CreateObservableGauge("llava_engine_prefix_hit_ratio", () => Ratio(status().PrefixHits, status().PrefixQueries));
        _meter.CreateObservableGauge("llava_engine_image_hit_ratio", () => Ratio(status().ImageHits, status().ImageQueries));
    }

    public void OnFirstToken(TimeSpan sinceSubmission) => _firstToken.Record(sinceSubmission.TotalSeconds);

    public void OnNextToken(TimeSpan sinceLast) => _betweenTokens.Record(sinceLast.TotalSeconds);

    public void OnStep(TimeSpan elapsed, int tokens, int generated, int guesses, int rightGuesses, int preemptions)
    {
        _guesses.Add(guesses);
        _rightGuesses.Add(rightGuesses);
        _step.Record(elapsed.TotalSeconds);
        _stepTokens.Record(tokens);
        _generated.Add(generated);
        _preemptions.Add(preemptions);
    }

    public void OnFinished(TimeSpan sinceSubmission, RequestUsage usage, string outcome)
    {
        _request.Record(sinceSubmission.TotalSeconds, new KeyValuePair<string, object?>("outcome", outcome));
        _prompt.Add(usage.PromptTokens);
        _cached.Add(usage.CachedTokens);
    }

    public void OnAdapterLoaded(int evicted)
    {
        _adapterLoads.Add(1);
        _adapterEvictions.Add(evicted);
    }

    public void OnRejected(RejectionReason reason) => _rejections.Add(1, new KeyValuePair<string, object?>("reason", reason.ToString()));

    public void Dispose() => _meter.Dispose();

    private static double Ratio(long part, long whole) => whole == 0 ? 0 : (double)part / whole;

    private Histogram<double> Histogram(string name, string description, double[] bounds) =>
        _meter.CreateHistogram(name, "s", description, advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = bounds });
}
