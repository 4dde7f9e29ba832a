using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Cli.Parity;

/// <summary>Logits with the folder's LoRA adapter: for every prompt alone, and for the first prompt beside the same prompt without the adapter.</summary>
internal sealed class AdapterCheck : IParityCheck
{
    public IEnumerable<ParityRow> Run(ParityContext context)
    {
        if (!context.Folder.Has("lora_logits.safetensors"))
        {
            return [];
        }

        using var scope = NewDisposeScope();
        using var expected = context.Folder.Tensors("lora_logits.safetensors");
        using var pixels = context.Folder.Tensors("prompt_pixels.safetensors");
        using var weights = LoraAdapterReader.Read(context.Folder.Adapter, context.Network.Config);
        using var adapter = new LoraAdapter(weights, context.Network.Dtype, context.Network.Device);
        var rows = new List<ParityRow>();
        foreach (var prompt in context.Folder.Prompts)
        {
            var embedded = context.Embed(prompt, LogitsCheck.Pixels(pixels, prompt), AdapterBatch.Whole(adapter));
            var tokens = embedded.shape[0];
            var last = expected.Tensors[prompt.Name + ".last_logits"].Shape[0];
            var alone = context.Network.Logits(context.Forward([embedded], AdapterBatch.Whole(adapter)), AdapterBatch.Whole(adapter));
            rows.Add(Compare("logits with adapter", prompt, alone.narrow(0, tokens - last, last)));

            var second = arange(tokens, 2 * tokens, dtype: ScalarType.Int64);
            var half = new AdapterBatch([(adapter, second)]);
            var both = context.Network.Logits(context.Forward([embedded, embedded], half), half);
            rows.Add(Compare("adapter in a mixed batch", prompt, both.narrow(0, (2 * tokens) - last, last)));
        }

        return rows;

        ParityRow Compare(string check, ParityPrompt prompt, Tensor logits) =>
            Difference.Of(check, prompt.Name, logits, expected, prompt.Name + ".last_logits", Tolerances.Logits);
    }
}
