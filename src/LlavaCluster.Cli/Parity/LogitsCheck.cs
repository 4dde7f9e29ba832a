using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Cli.Parity;

/// <summary>Logits of every prompt, alone and together in one batch, and the decoder's layers where they are stored.</summary>
internal sealed class LogitsCheck : IParityCheck
{
    public IEnumerable<ParityRow> Run(ParityContext context)
    {
        using var scope = NewDisposeScope();
        using var expected = context.Folder.Tensors("logits.safetensors");
        using var pixels = context.Folder.Tensors("prompt_pixels.safetensors");
        var rows = new List<ParityRow>();
        var prompts = context.Folder.Prompts;
        var embedded = prompts.Select(prompt => context.Embed(prompt, Pixels(pixels, prompt))).ToList();
        for (var i = 0; i < prompts.Count; i++)
        {
            rows.Add(Compare("logits", prompts[i], context.Network.Logits(context.Forward([embedded[i]]))));
        }

        var order = Enumerable.Range(0, prompts.Count).Reverse().ToList();
        var batch = context.Network.Logits(context.Forward([.. order.Select(i => embedded[i])]));
        var start = 0L;
        foreach (var i in order)
        {
            rows.Add(Compare("logits in a mixed batch", prompts[i], batch.narrow(0, start, embedded[i].shape[0])));
            start += embedded[i].shape[0];
        }

        rows.AddRange(Layers(context, embedded));
        return rows;

        ParityRow Compare(string check, ParityPrompt prompt, Tensor logits) =>
            Difference.Of(check, prompt.Name, logits, expected, prompt.Name + ".logits", Tolerances.Logits);
    }

    internal static Tensor? Pixels(SafetensorsFile pixels, ParityPrompt prompt) =>
        prompt.Images.Count == 0 ? null : pixels.View(prompt.Name + ".pixel_values");

    private static List<ParityRow> Layers(ParityContext context, List<Tensor> embedded)
    {
        var rows = new List<ParityRow>();
        if (!context.Folder.Has("layers.safetensors"))
        {
            return rows;
        }

        using var expected = context.Folder.Tensors("layers.safetensors");
        foreach (var (prompt, i) in context.Folder.Prompts.Select((prompt, i) => (prompt, i)))
        {
            void Compare(string part, Tensor ours)
            {
                var name = $"{prompt.Name}.{part}";
                if (expected.Tensors.ContainsKey(name))
                {
                    rows.Add(Difference.Of("layers", name, ours, expected, name, Tolerances.Hidden));
                }
            }

            Compare("inputs_embeds", embedded[i]);
            Compare("final_norm", context.Forward([embedded[i]], probe: (layer, hidden) => Compare($"layer.{layer}", hidden)));
        }

        return rows;
    }
}
