using System.Text.RegularExpressions;
using LlavaCluster.Model.Config;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Weights;

/// <summary>
/// Reads an adapter folder as PEFT writes it (adapter_config.json with adapter_model.safetensors or .bin), under module names of either generation, and the projector that
/// LLaVA's own trainer puts beside it (non_lora_trainables.bin); or the one file that <see cref="AdapterFile"/> makes of such a folder. Every tensor must fit the base's config.
/// </summary>
public static partial class LoraAdapterReader
{
    internal const string ConfigFile = "adapter_config.json";
    internal const string WeightsFile = "adapter_model.safetensors";

    /// <param name="path">A folder or a file.</param>
    /// <exception cref="CheckpointException">It is no adapter, uses a variant that is not supported, or does not fit the base; tensors are named.</exception>
    public static LoraWeights Read(string path, LlavaConfig baseConfig)
    {
        using var source = AdapterSource.Open(path);
        var settings = LoraSettings.Parse(source.ConfigPath, source.Config);
        var shapes = TensorPlan.For(baseConfig).ToDictionary(tensor => tensor.Name, tensor => tensor.Shape, StringComparer.Ordinal);
        var content = new Content(shapes, baseConfig.Text.TieWordEmbeddings);
        using var scope = NewDisposeScope();
        foreach (var file in source.Files)
        {
            content.Add(file);
        }

        content.RequireReplaceable();
        var modules = content.Pair(source.Files[0].Path, settings);
        scope.Detach([.. modules.Values.SelectMany(pair => new[] { pair.A, pair.B }), .. content.Replaced.Values]);
        return new LoraWeights(modules, content.Replaced, settings.BaseModel);
    }

    [GeneratedRegex(@"^(?<module>.+)\.lora_(?<factor>[AB])(\.[^.]+)?\.weight$")]
    private static partial Regex FactorName();

    private sealed class Content(Dictionary<string, IReadOnlyList<long>> shapes, bool isHeadTied)
    {
        private readonly Dictionary<(string Module, char Factor), (string Name, Tensor Tensor)> _factors = [];
        private readonly Dictionary<string, (string File, string Name)> _sources = new(StringComparer.Ordinal);

        public Dictionary<string, Tensor> Replaced { get; } = new(StringComparer.Ordinal);

        public void Add(ITensorFile file)
        {
            foreach (var (name, info) in file.Tensors.Where(entry => !TensorNames.IsIgnored(entry.Key)))
            {
                var own = LoraNames.StripWrapper(name);
                if (FactorName().Match(own) is { Success: true } factor)
                {
                    AddFactor(file, info, factor.Groups["module"].Value, factor.Groups["factor"].Value[0]);
                }
                else
                {
                    AddReplaced(file, info, TensorNames.Canonical(own));
                }
            }
        }

        /// <summary>Once everything is there: a bias may come in another file than its weight.</summary>
        public void RequireReplaceable()
        {
            foreach (var (name, (file, stored)) in _sources)
            {
                if (!LoraNames.IsReplaceable(name, Replaced.ContainsKey))
                {
                    throw new CheckpointException(file, stored, $"replaces a tensor of the base; {LoraNames.ReplaceableRule}.");
                }
            }
        }

        public Dictionary<string, LoraFactors> Pair(string path, LoraSettings settings)
        {
            var modules = new Dictionary<string, LoraFactors>(StringComparer.Ordinal);
            foreach (var ((module, factor), (name, tensor)) in _factors)
            {
                if (!_factors.TryGetValue((module, factor == 'A' ? 'B' : 'A'), out var other))
                {
                    throw new CheckpointException(path, name, "has no partner: lora_A and lora_B come in pairs.");
                }

                if (factor == 'B')
                {
                    continue;
                }

                var raw = FactorName().Match(LoraNames.StripWrapper(name)).Groups["module"].Value;
                var rank = tensor.shape[0];
                if (rank != settings.Rank(raw) || other.Tensor.shape[1] != rank)
                {
                    throw new CheckpointException(path, name, $"must have rank {settings.Rank(raw)}, as {ConfigFile} says; A has {rank} and B {other.Tensor.shape[1]}.");
                }

                modules.Add(module, new LoraFactors(tensor, other.Tensor, settings.Scale(raw)));
            }

            return modules;
        }

        private void AddFactor(ITensorFile file, TensorInfo info, string rawModule, char factor)
        {
            var module = TensorNames.Canonical(rawModule);
            if (!shapes.TryGetValue(module + ".weight", out var target) || target.Count != 2)
            {
                throw new CheckpointException(file.Path, info.Name, "adapts a module that the base does not have.");
            }

            // A tied head is the table of the word embeddings, which is looked up and not multiplied with.
            if (module.EndsWith("embed_tokens", StringComparison.Ordinal) || module.EndsWith("position_embedding", StringComparison.Ordinal) || (isHeadTied && module + ".weight" == TensorNames.LanguageHead))
            {
                throw new CheckpointException(file.Path, info.Name, "adapts a table of embeddings; only projections can be adapted.");
            }

            var axis = factor == 'A' ? 1 : 0;
            if (info.Shape.Count != 2 || info.Shape[axis] != target[axis])
            {
                var wanted = factor == 'A' ? $"[rank, {target[1]}]" : $"[{target[0]}, rank]";
                throw new CheckpointException(file.Path, info.Name, $"must have shape {wanted} for this base; was {info.ShapeText}.");
            }

            if (!_factors.TryAdd((module, factor), (info.Name, Copy(file, info))))
            {
                throw new CheckpointException(file.Path, info.Name, "occurs under two names.");
            }
        }

        private void AddReplaced(ITensorFile file, TensorInfo info, string name)
        {
            if (!shapes.TryGetValue(name, out var shape))
            {
                throw new CheckpointException(file.Path, info.Name, "is neither a LoRA factor nor a tensor of the base.");
            }

            if (!info.Shape.SequenceEqual(shape))
            {
                throw new CheckpointException(file.Path, info.Name, $"must have shape {TensorInfo.Print(shape)} for this base; was {info.ShapeText}.");
            }

            Replaced[name] = Copy(file, info);
            _sources[name] = (file.Path, info.Name);
        }

        private static Tensor Copy(ITensorFile file, TensorInfo info)
        {
            if (!info.IsFloatingPoint)
            {
                throw new CheckpointException(file.Path, info.Name, $"must hold floating-point numbers; was {info.Type}.");
            }

            using var view = file.View(info.Name);
            return view.clone().contiguous();
        }
    }
}
