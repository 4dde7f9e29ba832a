using System.Text.Json;
using static TorchSharp.torch;

namespace LlavaCluster.Cli.Parity;

/// <summary>Greedy continuations, token by token without a cache, with the logits of each step and the end at another end-of-sequence id.</summary>
internal sealed class GenerationCheck : IParityCheck
{
    public IEnumerable<ParityRow> Run(ParityContext context)
    {
        var rows = new List<ParityRow>();
        using var steps = context.Folder.Tensors("generate_logits.safetensors");
        using var pixels = context.Folder.Tensors("prompt_pixels.safetensors");
        var expected = context.Folder.Json("generate.json");
        foreach (var prompt in context.Folder.Prompts)
        {
            using var scope = NewDisposeScope();
            var reference = expected.GetProperty(prompt.Name);
            var ids = Ids(reference);
            var start = context.Embed(prompt, LogitsCheck.Pixels(pixels, prompt));
            var (ours, logits) = Greedy(context, start, ids.Count, context.Network.Config.EosTokenIds);
            rows.Add(ParityRow.OfLists("greedy ids", prompt.Name, ours, ids));
            rows.Add(Difference.Of("step logits", prompt.Name, logits, steps, prompt.Name + ".step_logits", Tolerances.Logits));
            if (reference.TryGetProperty("with_other_eos", out var other))
            {
                rows.Add(ParityRow.OfLists("greedy ids, other end", prompt.Name,
                    Greedy(context, start, ids.Count, [other.GetProperty("eos_token_id").GetInt32()]).Ids, Ids(other)));
            }
        }

        return rows;
    }

    private static (List<int> Ids, Tensor Logits) Greedy(ParityContext context, Tensor sequence, int most, IReadOnlyList<int> ends)
    {
        var ids = new List<int>();
        var logits = new List<Tensor>();
        while (ids.Count < most && (ids.Count == 0 || !ends.Contains(ids[^1])))
        {
            var last = context.Network.Logits(context.Forward([sequence])[^1].unsqueeze(0)); // [1, vocab]
            logits.Add(last);
            ids.Add((int)last.argmax().item<long>());
            sequence = cat([sequence, context.Network.Embed(tensor(new[] { (long)ids[^1] }))], 0);
        }

        return (ids, cat([.. logits], 0));
    }

    private static List<int> Ids(JsonElement reference) => [.. reference.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
}
