using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Language;
using LlavaCluster.Model.Layers;
using LlavaCluster.Model.Weights;
using LlavaCluster.Training.Objectives;
using LlavaCluster.Training.Optimisation;
using LlavaCluster.Training.Precision;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Tuning;

/// <summary>
/// A model folder set up for a recipe: what is frozen lies in the mapped files, what learns in <see cref="Parameters"/>. A projector that learns without the language model is
/// an adapter's that replaces the base's, so the base stays whole and can be compared with. For the training thread.
/// </summary>
internal sealed class TuningModel : IDisposable
{
    private const string AdapterPrefix = "adapter.";
    private const string Projector = "multi_modal_projector.";
    private const string Tower = "vision_tower.";

    private readonly Checkpoint _checkpoint;
    private readonly TuningRecipe _recipe;
    private readonly TuningWeights _base;
    private readonly NextTokenObjective _objective;
    private readonly LoraWeights? _weights;
    private readonly LoraAdapter? _adapter;
    private readonly LoraDropout? _dropout;

    private TuningModel(Checkpoint checkpoint, TuningRecipe recipe, string? adapter)
    {
        (_checkpoint, _recipe) = (checkpoint, recipe);
        var autocast = recipe.BFloat16 && Autocast.IsFaster;
        var targets = recipe.Lora is { } lora ? LoraTargets.Of(checkpoint.Config, lora) : [];
        Parameters = new TrainableParameters(Trained(checkpoint.Config, recipe, targets));
        _base = new TuningWeights(checkpoint, Parameters, recipe.BaseWeights, autocast);
        try
        {
            if (recipe.Method != TuningMethod.Full)
            {
                _weights = AdapterStart.Create(Parameters, targets, checkpoint, recipe.Seed, adapter);
                _adapter = LoraAdapter.Over(_weights);
            }

            LayerRunner? layers = recipe.GradientCheckpointing ? (layer, hidden) => is_grad_enabled() ? RecomputedLayer.Run(layer, hidden, autocast) : layer(hidden) : null;
            _objective = new NextTokenObjective(checkpoint.Config, _base, autocast, adapter: _adapter, layers: layers);
            _dropout = recipe.Lora is { Dropout: > 0 and var share } ? new LoraDropout(share, recipe.Seed) : null;
            Parameters.Attach(_objective.Parameters.Where(parameter => Parameters.Contains(parameter.Name)));
        }
        catch
        {
            _weights?.Dispose();
            _base.Dispose();
            Parameters.Dispose();
            throw;
        }
    }

    public TrainableParameters Parameters { get; }

    /// <summary>The matrices that are held in 8 bits.</summary>
    public IReadOnlyList<PackedWeight> Packed => _base.Packed;

    public LlavaConfig Config => _checkpoint.Config;

    /// <summary>What a run of this recipe on those data is.</summary>
    public TuningIdentity Identify(string data) => TuningIdentity.Of(_recipe, data, _checkpoint);

    /// <param name="adapter">An adapter folder to go on from; null to start from nothing. For the methods lora and projector.</param>
    /// <exception cref="CheckpointException">The folder is no model that can be trained, or the adapter is another recipe's.</exception>
    public static TuningModel Open(string folder, TuningRecipe recipe, string? adapter)
    {
        recipe.Require();
        if (adapter is not null && recipe.Method == TuningMethod.Full)
        {
            throw new ArgumentException("An adapter to go on from must come with the method lora or projector; the method was full.", nameof(adapter));
        }

        var checkpoint = CheckpointReader.Open(folder);
        try
        {
            return checkpoint.Packed is null
                ? new TuningModel(checkpoint, recipe, adapter)
                : throw new CheckpointException(folder, $"has its matrices stored in {checkpoint.Packed.Format}, which cannot be trained; give the model it was made from.");
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>The sum of a micro-batch's losses, with its graph; belongs to the caller's scope.</summary>
    /// <param name="step">For the step's dropout; null for none.</param>
    public Tensor Loss(MicroBatch batch, long? step)
    {
        var adapters = _adapter is null ? null : new AdapterBatch([(_adapter, null)])
        {
            Thin = _dropout is { } dropout && step is { } at ? (projection, input) => dropout.Apply(batch, at, projection, input) : null,
        };
        return _objective.Loss(batch.Tokens, adapters);
    }

    /// <summary>The same without a graph, a number.</summary>
    /// <param name="ofBase">Without the adapter.</param>
    public double Evaluate(MicroBatch batch, bool ofBase)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        return (ofBase ? _objective.Loss(batch.Tokens, null) : Loss(batch, null)).item<float>();
    }

    /// <summary>Groups by rate and decay: the projector apart, and norms and biases apart.</summary>
    public IReadOnlyList<ParameterGroup> Groups() =>
    [
        .. from parameter in _objective.Parameters
           where Parameters.Contains(parameter.Name)
           group parameter by (IsProjector: IsProjector(parameter.Name), Decays: parameter.Value.dim() > 1) into alike
           orderby alike.Key
           select new ParameterGroup([.. alike], alike.Key.IsProjector ? _recipe.ProjectorLearningRate ?? _recipe.LearningRate : _recipe.LearningRate, alike.Key.Decays ? _recipe.WeightDecay : 0),
    ];

    /// <summary>Puts back what the base has of the parameters that learn; for the method full only.</summary>
    public void LoadBase()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        foreach (var name in Parameters.Names)
        {
            var value = Parameters.ValueOf(name);
            value.copy_(_checkpoint.Take(name, value.shape));
            value.Dispose();
        }
    }

    /// <summary>An adapter folder that PEFT and <see cref="LoraAdapterReader"/> read, or for the method full a model folder.</summary>
    /// <param name="template">The conversation template trained with; the folder of a model says it.</param>
    public void Export(string folder, string template, bool pad)
    {
        if (_weights is not null)
        {
            var lora = _recipe.Lora ?? new LoraRecipe();
            LoraAdapterWriter.Write(folder, _weights, lora.Rank, lora.Alpha, lora.Dropout, lora.RsLora);
            return;
        }

        var tokenizer = Path.Combine(_checkpoint.Folder, "tokenizer.model");
        ModelFolderWriter.Write(
            folder,
            Config,
            planned => Parameters.Contains(planned.Name) ? Parameters.ValueOf(planned.Name) : _checkpoint.Take(planned.Name, [.. planned.Shape]),
            File.Exists(tokenizer) ? File.ReadAllBytes(tokenizer) : ReadOnlyMemory<byte>.Empty,
            _checkpoint.StoredType,
            template,
            pad,
            like: _checkpoint.Folder);
    }

    public void Dispose()
    {
        _objective.Dispose();
        _base.Dispose();
        Parameters.Dispose();
        _checkpoint.Dispose();
    }

    private static IEnumerable<(string Name, IReadOnlyList<long> Shape)> Trained(LlavaConfig config, TuningRecipe recipe, IReadOnlyList<LoraTarget> targets)
    {
        var plan = TensorPlan.For(config);
        if (recipe.Method == TuningMethod.Full)
        {
            return plan.Where(tensor => !tensor.Name.StartsWith(Tower, StringComparison.Ordinal) && !(tensor.Optional && config.Text.TieWordEmbeddings)).Select(tensor => (tensor.Name, tensor.Shape));
        }

        var projector = recipe.Lora?.TrainProjector == false ? [] : plan.Where(tensor => tensor.Name.StartsWith(Projector, StringComparison.Ordinal)).Select(tensor => (AdapterPrefix + tensor.Name, tensor.Shape));
        return
        [
            .. targets.SelectMany(target => new (string, IReadOnlyList<long>)[] { (AdapterStart.Down(target.Module), [target.Rank, target.Inputs]), (AdapterStart.Up(target.Module), [target.Outputs, target.Rank]) }),
            .. projector,
        ];
    }

    private static bool IsProjector(string name) => name.StartsWith(Projector, StringComparison.Ordinal) || name.StartsWith(AdapterPrefix + Projector, StringComparison.Ordinal);
}
