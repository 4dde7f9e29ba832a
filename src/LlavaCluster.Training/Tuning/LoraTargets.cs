using LlavaCluster.Model.Config;
using LlavaCluster.Model.Weights;

namespace LlavaCluster.Training.Tuning;

/// <summary>Which projections a LoRA recipe adapts in a model, and how strongly. Only the language model's are candidates: "q_proj" names the vision tower's in PEFT too, and it is frozen.</summary>
internal static class LoraTargets
{
    private const string Layers = "language_model.layers.";
    private const string Weight = ".weight";
    private const string Head = "lm_head";

    /// <exception cref="ArgumentException">Nothing is left to adapt.</exception>
    public static IReadOnlyList<LoraTarget> Of(LlavaConfig config, LoraRecipe recipe)
    {
        var candidates = TensorPlan.For(config).Where(tensor => tensor.Shape.Count == 2 && IsCandidate(tensor.Name, config)).Select(tensor => (Module: tensor.Name[..^Weight.Length], tensor.Shape));
        var ranks = recipe.RankPattern.Select(entry => (Pattern: TuningRecipeRules.EndOf(entry.Key), entry.Value)).ToList();
        var alphas = recipe.AlphaPattern.Select(entry => (Pattern: TuningRecipeRules.EndOf(entry.Key), entry.Value)).ToList();
        var targets = candidates.Where(candidate => IsTarget(candidate.Module, recipe)).Select(candidate =>
        {
            var names = NamesOf(candidate.Module);
            var rank = First(ranks, names, recipe.Rank);
            var alpha = First(alphas, names, recipe.Alpha);
            return new LoraTarget(candidate.Module, candidate.Shape[1], candidate.Shape[0], rank, alpha / (recipe.RsLora ? Math.Sqrt(rank) : rank));
        }).ToList();
        return targets.Count > 0
            ? targets
            : throw new ArgumentException($"lora.target_modules must name a projection of the language model, such as q_proj; \"{recipe.TargetModules}\"{(recipe.ExcludeModules is { } excluded ? $" without \"{excluded}\"" : "")} fits none. The vision tower stays frozen and the projector is trained whole.");
    }

    // A head that is the table of embeddings cannot be adapted alone.
    private static bool IsCandidate(string name, LlavaConfig config) =>
        name.StartsWith(Layers, StringComparison.Ordinal) || (name == Head + Weight && !config.Text.TieWordEmbeddings);

    private static bool IsTarget(string module, LoraRecipe recipe) =>
        !(module == Head && recipe.TargetModules.IsAllLinear) && recipe.TargetModules.Fits(NamesOf(module)) && recipe.ExcludeModules?.Fits(NamesOf(module)) != true;

    private static T First<T>(List<(System.Text.RegularExpressions.Regex Pattern, T Value)> patterns, string[] names, T usual)
    {
        var found = patterns.FindIndex(entry => names.Any(entry.Pattern.IsMatch));
        return found < 0 ? usual : patterns[found].Value;
    }

    /// <summary>Hugging Face's name since transformers 4.52, the one before, and ours.</summary>
    private static string[] NamesOf(string module) => module == Head
        ? [module, "language_model." + module]
        : ["model." + module, module.Replace("language_model.", "language_model.model.", StringComparison.Ordinal), module];
}

/// <summary>One adapted projection.</summary>
/// <param name="Module">By our name, for example <c>language_model.layers.0.self_attn.q_proj</c>.</param>
internal sealed record LoraTarget(string Module, long Inputs, long Outputs, int Rank, double Scale);
