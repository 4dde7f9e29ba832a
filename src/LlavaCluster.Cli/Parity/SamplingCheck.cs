using LlavaCluster.Engine.Sampling;
using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Cli.Parity;

/// <summary>The distribution after each logits processor alone and after each prefix of the chain, with the parameters the format fixes.</summary>
internal sealed class SamplingCheck : IParityCheck
{
    private static readonly Dictionary<string, Func<SamplingOptions, SamplingOptions>> Processors = new(StringComparer.Ordinal)
    {
        ["repetition_penalty"] = options => options with { RepetitionPenalty = 1.1 },
        ["temperature"] = options => options with { Temperature = 0.7 },
        ["top_k"] = options => options with { TopK = 20 },
        ["top_p"] = options => options with { TopP = 0.9 },
        ["min_p"] = options => options with { MinP = 0.05 },
    };

    public IEnumerable<ParityRow> Run(ParityContext context)
    {
        if (!context.Folder.Has("sampling.safetensors"))
        {
            return [];
        }

        using var file = context.Folder.Tensors("sampling.safetensors");
        var rows = new List<ParityRow>();
        const string suffix = ".logits";
        foreach (var row in file.Tensors.Keys.Where(name => name.EndsWith(suffix, StringComparison.Ordinal)).Select(name => name[..^suffix.Length]).Order(StringComparer.Ordinal))
        {
            var off = new SamplingOptions();
            rows.Add(Compare(file, row, off, "softmax"));
            rows.AddRange(Processors.Select(processor => Compare(file, row, processor.Value(off), $"only_{processor.Key}.probs")));
            var chain = off;
            foreach (var ((name, add), i) in Processors.Select((processor, i) => (processor, i)))
            {
                chain = add(chain);
                rows.Add(Compare(file, row, chain, $"chain_{i}_{name}.probs"));
            }

            rows.Add(Compare(file, row, chain, "chain.probs"));
        }

        return rows;
    }

    private static ParityRow Compare(SafetensorsFile file, string row, SamplingOptions options, string part)
    {
        using var scope = NewDisposeScope();
        var logits = file.View(row + ".logits").data<float>().ToArray();
        var prompt = file.View(row + ".input_ids").data<long>().Select(id => (int)id).ToArray();
        var name = $"{row}.{part}";
        var ours = TokenDistribution.Of(logits, prompt, options);
        var expected = file.View(name).data<float>().ToArray();
        var keepsRemoved = part != "softmax" && expected.Zip(ours).Any(pair => pair is { First: 0, Second: not 0 });
        return keepsRemoved
            ? new ParityRow("sampling", name, double.NaN, Tolerances.Probabilities, "keeps a token that the reference removes")
            : Difference.Of("sampling", name, tensor(ours), file, name, Tolerances.Probabilities);
    }
}
