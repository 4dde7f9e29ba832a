namespace LlavaCluster.Model.Weights;

/// <summary>The names of PEFT's files. Source: peft, src/peft/utils/save_and_load.py.</summary>
internal static class LoraNames
{
    public const string Wrapper = "base_model.model.";
    public const string Factors = ".lora_";
    public const string WeightSuffix = ".weight";
    public const string BiasSuffix = ".bias";

    /// <summary>What <see cref="IsReplaceable"/> asks for, as the end of a sentence about one that is not.</summary>
    public const string ReplaceableRule = "only the projector's weights may be replaced, with or without their biases";

    /// <summary>Whether an adapter may bring a tensor in place of the base's. A bias alone would need the base's product without its own bias, which nobody writes.</summary>
    /// <param name="isReplaced">Whether the adapter brings the tensor of that name too.</param>
    public static bool IsReplaceable(string name, Func<string, bool> isReplaced) =>
        name.StartsWith(TensorNames.Projector + ".", StringComparison.Ordinal)
        && (name.EndsWith(WeightSuffix, StringComparison.Ordinal) || (name.EndsWith(BiasSuffix, StringComparison.Ordinal) && isReplaced(name[..^BiasSuffix.Length] + WeightSuffix)));

    /// <summary>A name without the wrapper that PEFT puts before the model's own.</summary>
    public static string StripWrapper(string name) => name.StartsWith(Wrapper, StringComparison.Ordinal) ? name[Wrapper.Length..] : name;
}
