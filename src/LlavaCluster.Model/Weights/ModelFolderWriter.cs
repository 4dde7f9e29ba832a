using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlavaCluster.Model.Config;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Weights;

/// <summary>
/// Writes a LLaVA-1.5 model as Hugging Face's <c>save_pretrained</c> lays it out (older tensor names, as it writes to this day), so that their classes and
/// ours load it. Every file is there whole or not at all; config.json is written last, so a half-written folder is not a model.
/// </summary>
public static class ModelFolderWriter
{
    /// <summary>Names the conversation template of a model that was trained with another than its family's.</summary>
    public const string TemplateFile = "conversation_template.txt";

    private const string TokenizerFile = "tokenizer.model";
    private static readonly List<string> Copied =
        ["tokenizer.json", "tokenizer_config.json", "added_tokens.json", "special_tokens_map.json", "preprocessor_config.json", "processor_config.json", "chat_template.jinja"];

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <param name="tensor">Gives a tensor of the plan by our name; called once for each, and the result is disposed after it is written.</param>
    /// <param name="tokenizer">A SentencePiece model; its bytes are copied.</param>
    /// <param name="dtype">What the tensors are stored as.</param>
    /// <param name="mostBytesOfAShard">Above it the weights are split, with an index.</param>
    /// <param name="template">The conversation template the model was trained with, for <see cref="TemplateFile"/>; Hugging Face's classes do not read it.</param>
    /// <param name="pad">Whether pictures are padded to a square (as LLaVA-1.5 was trained) rather than cropped.</param>
    /// <param name="like">A model folder whose files of tokeniser and preprocessing are copied in place of those made here; null for none.</param>
    public static void Write(
        string folder, LlavaConfig config, Func<PlannedTensor, Tensor> tensor, ReadOnlyMemory<byte> tokenizer, ScalarType dtype, string template, bool pad, long mostBytesOfAShard = 2L << 30, string? like = null)
    {
        if (config.Family != ModelFamily.Llava15)
        {
            throw new ArgumentException($"Only LLaVA-1.5 models are written; this is {config.Family}.", nameof(config));
        }

        if (config.Projector.Layers != 2)
        {
            throw new ArgumentException($"Hugging Face's LLaVA-1.5 has a projector of 2 layers; this one has {config.Projector.Layers}.", nameof(config));
        }

        Directory.CreateDirectory(folder);
        WriteWeights(folder, [.. TensorPlan.For(config).Where(planned => !planned.Optional)], tensor, dtype, mostBytesOfAShard);
        if (tokenizer.Length > 0)
        {
            AtomicFile.Write(Path.Combine(folder, TokenizerFile), stream => stream.Write(tokenizer.Span));
        }

        AtomicFile.Write(Path.Combine(folder, TemplateFile), stream => stream.Write(Encoding.UTF8.GetBytes(template + "\n")));
        Copied.ForEach(name => Copy(like, folder, name));
        foreach (var (name, json) in ModelFolderJson.Files(config, dtype, pad).Where(file => !(Copied.Contains(file.Name) && IsThere(like, file.Name))))
        {
            AtomicFile.Write(Path.Combine(folder, name), stream => JsonSerializer.Serialize<JsonNode>(stream, json, Indented));
        }
    }

    private static bool IsThere(string? folder, string name) => folder is not null && File.Exists(Path.Combine(folder, name));

    private static void Copy(string? from, string to, string name)
    {
        if (IsThere(from, name))
        {
            AtomicFile.Write(Path.Combine(to, name), stream => stream.Write(File.ReadAllBytes(Path.Combine(from!, name))));
        }
    }

    /// <summary>A name of ours as the older layout has it.</summary>
    internal static string StoredName(string name) => name switch
    {
        _ when name.StartsWith("language_model.", StringComparison.Ordinal) => "language_model.model." + name["language_model.".Length..],
        TensorNames.LanguageHead => "language_model." + name,
        _ => name,
    };

    private static void WriteWeights(string folder, List<PlannedTensor> plan, Func<PlannedTensor, Tensor> tensor, ScalarType dtype, long most)
    {
        var shards = Split(plan, TensorMemory.ElementSize(dtype), most);
        var index = new JsonObject();
        for (var i = 0; i < shards.Count; i++)
        {
            var file = shards.Count == 1 ? "model.safetensors" : $"model-{i + 1:00000}-of-{shards.Count:00000}.safetensors";
            using var scope = NewDisposeScope();
            SafetensorsWriter.Write(
                Path.Combine(folder, file),
                [.. shards[i].Select(planned => KeyValuePair.Create(StoredName(planned.Name), tensor(planned).to(dtype)))],
                new Dictionary<string, string> { ["format"] = "pt" });
            shards[i].ForEach(planned => index[StoredName(planned.Name)] = file);
        }

        if (shards.Count > 1)
        {
            var root = new JsonObject { ["metadata"] = new JsonObject { ["total_size"] = plan.Sum(planned => Bytes(planned, TensorMemory.ElementSize(dtype))) }, ["weight_map"] = index };
            AtomicFile.Write(Path.Combine(folder, "model.safetensors.index.json"), stream => JsonSerializer.Serialize<JsonNode>(stream, root, Indented));
        }
    }

    private static List<List<PlannedTensor>> Split(List<PlannedTensor> plan, int elementSize, long most)
    {
        var shards = new List<List<PlannedTensor>> { new() };
        var bytes = 0L;
        foreach (var planned in plan)
        {
            if (shards[^1].Count > 0 && bytes + Bytes(planned, elementSize) > most)
            {
                shards.Add([]);
                bytes = 0;
            }

            shards[^1].Add(planned);
            bytes += Bytes(planned, elementSize);
        }

        return shards;
    }

    private static long Bytes(PlannedTensor planned, int elementSize) => planned.Shape.Aggregate((long)elementSize, (size, extent) => size * extent);
}
