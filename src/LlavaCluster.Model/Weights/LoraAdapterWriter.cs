using System.Text.Json;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Weights;

/// <summary>
/// Writes an adapter folder that PEFT loads: adapter_model.safetensors under the module names of transformers since 4.52, then adapter_config.json. Each file is there whole or not at all.
/// </summary>
public static class LoraAdapterWriter
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <param name="rank">r; modules of another rank are named in rank_pattern.</param>
    /// <param name="alpha">lora_alpha; modules whose scale says another are named in alpha_pattern.</param>
    /// <param name="dropout">What training used; serving ignores it.</param>
    /// <param name="rootScaled">Whether scales are alpha / sqrt(rank) (use_rslora) and not alpha / rank.</param>
    public static void Write(string folder, LoraWeights weights, int rank, double alpha, double dropout = 0, bool rootScaled = false)
    {
        var tensors = new List<KeyValuePair<string, Tensor>>();
        foreach (var (module, factors) in weights.Modules.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            tensors.Add(new($"{LoraNames.Wrapper}{OnDisk(module)}.lora_A.weight", factors.A));
            tensors.Add(new($"{LoraNames.Wrapper}{OnDisk(module)}.lora_B.weight", factors.B));
        }

        tensors.AddRange(weights.Replaced.OrderBy(entry => entry.Key, StringComparer.Ordinal).Select(entry => new KeyValuePair<string, Tensor>(LoraNames.Wrapper + OnDisk(entry.Key), entry.Value)));
        SafetensorsWriter.Write(Path.Combine(folder, LoraAdapterReader.WeightsFile), tensors, new Dictionary<string, string> { ["format"] = "pt" });
        AtomicFile.Write(Path.Combine(folder, LoraAdapterReader.ConfigFile), stream => JsonSerializer.Serialize(stream, Config(weights, rank, alpha, dropout, rootScaled), Indented));
    }

    private static Dictionary<string, object?> Config(LoraWeights weights, int rank, double alpha, double dropout, bool rootScaled) => new()
    {
        ["peft_type"] = "LORA",
        ["task_type"] = "CAUSAL_LM",
        ["base_model_name_or_path"] = weights.BaseModel,
        ["r"] = rank,
        ["lora_alpha"] = Whole(alpha),
        ["rank_pattern"] = Others(weights, factors => factors.A.shape[0], rank),
        ["alpha_pattern"] = Others(weights, factors => Alpha(factors, rootScaled), alpha),
        ["lora_dropout"] = dropout,
        ["bias"] = "none",
        ["fan_in_fan_out"] = false,
        ["inference_mode"] = true,
        ["use_rslora"] = rootScaled,
        ["use_dora"] = false,
        // Whole names: PEFT matches a list by suffix, and "q_proj" alone would also hit the vision tower.
        ["target_modules"] = weights.Modules.Keys.Select(OnDisk).Order(StringComparer.Ordinal).ToArray(),
        ["modules_to_save"] = ModulesToSave(weights.Replaced.Keys),
    };

    // A whole name is a pattern that fits no other module.
    private static Dictionary<string, object> Others(LoraWeights weights, Func<LoraFactors, double> value, double usual) =>
        weights.Modules.Where(module => Math.Abs(value(module.Value) - usual) > 1e-9 * usual).OrderBy(module => module.Key, StringComparer.Ordinal)
            .ToDictionary(module => OnDisk(module.Key), module => Whole(value(module.Value)));

    private static double Alpha(LoraFactors factors, bool rootScaled)
    {
        var rank = (double)factors.A.shape[0];
        return Math.Round(factors.Scale * (rootScaled ? Math.Sqrt(rank) : rank), 9);
    }

    private static object Whole(double number) => number == Math.Floor(number) ? (long)number : number;

    private static string[]? ModulesToSave(IEnumerable<string> names)
    {
        var modules = names.Select(name => name.Split('.')[0]).Distinct(StringComparer.Ordinal).ToArray();
        return modules.Length > 0 ? modules : null;
    }

    // transformers since 4.52: everything but the head lies under "model.".
    private static string OnDisk(string name) => name.StartsWith("lm_head", StringComparison.Ordinal) ? name : "model." + name;
}
