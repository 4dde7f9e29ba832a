using LlavaCluster.Engine.Sampling;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Engine.Tests.Sampling;

/// <summary>Distributions against Hugging Face transformers' logits processors, alone and chained (tests/goldens, sampling.safetensors).</summary>
public sealed class SamplingGoldenTests
{
    private const double Tolerance = 1e-5;

    private static readonly SamplingOptions Off = new();

    private static readonly string[] Order = ["repetition_penalty", "temperature", "top_k", "top_p", "min_p"];

    public static TheoryData<string, string> Rows()
    {
        var rows = new TheoryData<string, string>();
        foreach (var checkpoint in Goldens.Checkpoints)
        {
            foreach (var name in Open(checkpoint).Names.Where(name => name.EndsWith(".logits", StringComparison.Ordinal)))
            {
                rows.Add(checkpoint, name[..^".logits".Length]);
            }
        }

        return rows;
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void Candidates_ForEachProcessorAlone_EqualHuggingFace(string checkpoint, string row)
    {
        foreach (var processor in Order)
        {
            AssertDistribution(checkpoint, row, With(Off, processor), $"only_{processor}.probs");
        }
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void Candidates_ForEachPrefixOfTheChain_EqualHuggingFace(string checkpoint, string row)
    {
        var options = Off;
        for (var index = 0; index < Order.Length; index++)
        {
            options = With(options, Order[index]);
            AssertDistribution(checkpoint, row, options, $"chain_{index}_{Order[index]}.probs");
        }

        AssertDistribution(checkpoint, row, options, "chain.probs");
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void Sample_WithLogprobs_ReportsTheModelsOwnSoftmaxWhateverTheOptions(string checkpoint, string row)
    {
        var file = Open(checkpoint);
        var logits = file.Read<float>($"{row}.logits");
        var softmax = file.Read<float>($"{row}.softmax");
        var options = Order.Aggregate(Off, With) with { Logprobs = true, TopLogprobs = 20 };
        var top = new TokenLogprob[20];
        var token = new Sampler(logits.Length, [], []).Sample(new SamplingRow
        {
            Logits = logits,
            Options = options,
            History = History(file, row),
            Noise = new NoiseKey(1, 0, 0),
            TopLogprobs = top,
        });
        Assert.Equal(softmax[token.Id], Math.Exp(token.Logprob), Tolerance);
        Assert.Equal(softmax.Select((p, id) => (p, id)).OrderByDescending(pair => pair.p).ThenBy(pair => pair.id).Take(20).Select(pair => pair.id), top.Select(entry => entry.Id));
        Assert.All(top, entry => Assert.Equal(softmax[entry.Id], Math.Exp(entry.Logprob), Tolerance));
    }

    private static void AssertDistribution(string checkpoint, string row, SamplingOptions options, string expectedName)
    {
        var file = Open(checkpoint);
        var logits = file.Read<float>($"{row}.logits");
        var expected = file.Read<float>($"{row}.{expectedName}");
        var actual = TokenDistribution.Of(logits, [.. file.Read<long>($"{row}.input_ids").Select(id => (int)id)], options);
        for (var id = 0; id < expected.Length; id++)
        {
            Assert.True(Math.Abs(expected[id] - actual[id]) <= Tolerance, $"{expectedName}: token {id} has {actual[id]}, expected {expected[id]}.");
            Assert.False(expected[id] == 0 && actual[id] != 0, $"{expectedName}: token {id} should have been removed.");
        }
    }

    private static SamplingHistory History(SafetensorsFixture file, string row) =>
        new([.. file.Read<long>($"{row}.input_ids").Select(id => (int)id)], 1);

    private static SamplingOptions With(SamplingOptions options, string processor) => processor switch
    {
        "repetition_penalty" => options with { RepetitionPenalty = 1.1 },
        "temperature" => options with { Temperature = 0.7 },
        "top_k" => options with { TopK = 20 },
        "top_p" => options with { TopP = 0.9 },
        "min_p" => options with { MinP = 0.05 },
        _ => throw new ArgumentOutOfRangeException(nameof(processor), processor, "No such processor."),
    };

    private static SafetensorsFixture Open(string checkpoint) => new(Goldens.Path(checkpoint, "expected", "sampling.safetensors"));
}
