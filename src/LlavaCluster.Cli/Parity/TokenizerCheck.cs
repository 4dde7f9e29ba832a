using System.Text.Json;
using LlavaCluster.Model.Text;

namespace LlavaCluster.Cli.Parity;

/// <summary>Ids and texts: SentencePiece's, Hugging Face's in the mode the checkpoint asks for, and those of the prompts.</summary>
internal sealed class TokenizerCheck : IParityCheck
{
    private const int MostSubject = 40;

    public IEnumerable<ParityRow> Run(ParityContext context)
    {
        var codec = TextCodec.Load(context.Folder.Path, context.Network.Config);
        var rows = new List<ParityRow>();
        foreach (var test in context.Folder.Has("tokenizer_cases.json") ? context.Folder.Json("tokenizer_cases.json").EnumerateArray().ToList() : [])
        {
            var text = test.GetProperty("text").GetString()!;
            var subject = JsonSerializer.Serialize(text.Length > MostSubject ? text[..MostSubject] : text);
            var ids = Ids(test.GetProperty(codec.IsLegacy ? "hf_legacy_true_ids" : "hf_legacy_false_ids"));
            rows.Add(ParityRow.OfLists("SentencePiece ids", subject, codec.Tokenizer.EncodeToIds(text), Ids(test.GetProperty("spm_ids"))));
            rows.Add(ParityRow.OfLists("tokenizer ids", subject, codec.EncodeTrusted(text), ids));
            if (!codec.IsLegacy)
            {
                rows.Add(ParityRow.OfLists("decoding", subject, codec.Decode(ids).ToArray(), test.GetProperty("hf_decode_skip_special").GetString()!.ToArray()));
            }
        }

        foreach (var prompt in context.Folder.Prompts)
        {
            rows.Add(ParityRow.OfLists("prompt ids", prompt.Name, Expand(context, codec, prompt), prompt.InputIds));
        }

        return rows;
    }

    private static List<int> Expand(ParityContext context, TextCodec codec, ParityPrompt prompt)
    {
        var ids = new List<int>();
        var picture = 0;
        foreach (var id in codec.EncodeTrusted(prompt.Text))
        {
            ids.AddRange(Enumerable.Repeat(id, id == codec.ImageTokenId ? context.Features(prompt, picture++) : 1));
        }

        return ids;
    }

    private static List<int> Ids(JsonElement list) => [.. list.EnumerateArray().Select(id => id.GetInt32())];
}
