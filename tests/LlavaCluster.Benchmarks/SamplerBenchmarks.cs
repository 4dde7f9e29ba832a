using BenchmarkDotNet.Attributes;
using LlavaCluster.Engine.Sampling;

namespace LlavaCluster.Benchmarks;

/// <summary>One token drawn from 32,064 scores.</summary>
public class SamplerBenchmarks
{
    private const int Vocabulary = 32_064;

    private readonly Sampler _sampler = new(Vocabulary, [32_000, 32_001], [2]);
    private readonly SamplingHistory _history = new([1, 2, 3], 16);
    private readonly float[] _logits = new float[Vocabulary];
    private SamplingOptions _options = null!;

    [Params("greedy", "temperature", "top-p 0.9", "top-k 40", "penalties")]
    public string Options { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(1);
        for (var i = 0; i < Vocabulary; i++)
        {
            _logits[i] = (random.NextSingle() - 0.5f) * 20;
        }

        _options = Options switch
        {
            "greedy" => new SamplingOptions { Temperature = 0 },
            "temperature" => new SamplingOptions(),
            "top-p 0.9" => new SamplingOptions { TopP = 0.9 },
            "top-k 40" => new SamplingOptions { TopK = 40 },
            _ => new SamplingOptions { RepetitionPenalty = 1.1, FrequencyPenalty = 0.5 },
        };
    }

    [Benchmark]
    public int Draw() => _sampler.Sample(new SamplingRow { Logits = _logits, Options = _options, History = _history, Noise = new NoiseKey(1, 0, 3) }).Id;
}
