namespace LlavaCluster.Model.Weights;

/// <summary>The names of PEFT's files. Source: peft, src/peft/utils/save_and_load.py.</summary>
internal static class LoraNames
{
    public const string Wrapper = "base_model.model.";
    public const string Factors = ".lora_";

    /// <summary>A name without the wrapper that PEFT puts before the model's own.</summary>
    public static string StripWrapper(string name) => name.StartsWith(Wrapper, StringComparison.Ordinal) ? name[Wrapper.Length..] : name;
}
