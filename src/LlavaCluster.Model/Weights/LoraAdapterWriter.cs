using System.Text.Json;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Weights;

/// <summary>
/// Writes an adapter folder that PEFT loads: adapter_model.safetensors under the module names of transformers since 4.52, then adapter_config.json. Each file is there whole or not at all.
/// </summary>
public static class LoraAdapterWriter
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <param name="rank">r of every module.</param>
    /// <param name="alpha">lora_alpha; the scale of every module is alpha / rank.</param>
    /// <param name="dropout">What training used; serving ignores it.</param>
    public static void Write(string folder, LoraWeights weights, int rank, double alpha, double dropout = 0)
    {
        foreach (var (module, factors) in weights.Modules)
        {
            if (factors.A.shape[0] != rank || Math.Abs(factors.Scale - (alpha / rank)) > 1e-9 * factors.Scale)
            {
                throw new ArgumentException($"{module} has rank {factors.A.shape[0]} and scale {factors.Scale}; the adapter has rank {rank} and alpha {alpha}.", nameof(weights));
            }
        }

        var tensors = new List<KeyValuePair<string, Tensor>>();
        foreach (var (module, factors) in weights.Modules.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            tensors.Add(new($"{LoraNames.Wrapper}{OnDisk(module)}.lora_A.weight", factors.A));
            tensors.Add(new($"{LoraNames.Wrapper}{OnDisk(module)}.lora_B.weight", factors.B));
        }

        tensors.AddRange(weights.Replaced.OrderBy(entry => entry.Key, StringComparer.Ordinal).Select(entry => new KeyValuePair<string, Tensor>(LoraNames.Wrapper + OnDisk(entry.Key), entry.Value)));
        SafetensorsWriter.Write(Path.Combine(folder, LoraAdapterReader.WeightsFile), tensors, new Dictionary<string, string> { ["format"] = "pt" });
        AtomicFile.Write(Path.Combine(folder, LoraAdapterReader.ConfigFile), stream => JsonSerializer.Serialize(stream, Config(weights, rank, alpha, dropout), Indented));
    }

    private static Dictionary<string, object?> Config(LoraWeights weights, int rank, double alpha, double dropout) => new()
    {
        ["peft_type"] = "LORA",
        ["task_type"] = "CAUSAL_LM",
        ["base_model_name_or_path"] = weights.BaseModel,
        ["r"] = rank,
        ["lora_alpha"] = alpha == Math.Floor(alpha) ? (long)alpha : alpha,
        ["lora_dropout"] = dropout,
        ["bias"] = "none",
        ["fan_in_fan_out"] = false,
        ["inference_mode"] = true,
        ["use_rslora"] = false,
        ["use_dora"] = false,
        // Whole names: PEFT matches a list by suffix, and "q_proj" alone would also hit the vision tower.
        ["target_modules"] = weights.Modules.Keys.Select(OnDisk).Order(StringComparer.Ordinal).ToArray(),
        ["modules_to_save"] = ModulesToSave(weights.Replaced.Keys),
    };

    private static string[]? ModulesToSave(IEnumerable<string> names)
    {
        var modules = names.Select(name => name.Split('.')[0]).Distinct(StringComparer.Ordinal).ToArray();
        return modules.Length > 0 ? modules : null;
    }

    // transformers since 4.52: everything but the head lies under "model.".
    private static string OnDisk(string name) => name.StartsWith("lm_head", StringComparison.Ordinal) ? name : "model." + name;
}
