using LlavaCluster.Model.Imaging;
using LlavaCluster.Model.Layers;
using LlavaCluster.Model.Weights;
using LlavaCluster.Training.Data;
using LlavaCluster.Training.Data.Conversations;
using LlavaCluster.Training.Optimisation;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Tuning;

/// <summary>
/// A fine-tuning run, step by step. A step is <see cref="Accumulate"/> at every participant, then the sum of their <see cref="Gradients"/> in place and of their terms by
/// whoever connects them, then <see cref="Apply"/> at each with the same total. Alone, a participant is rank 0 of 1. All participants apply the same numbers and stay equal; the
/// samples of a step do not depend on how many there are.
/// Everything but <see cref="Evaluate"/>'s answers depends on recipe, model, data and step only, so a run that was saved and restored goes on as if nothing had been.
/// For one thread, which sets libtorch's number of threads as it likes; owns the model, not the data set.
/// </summary>
public sealed class TuningRun : IDisposable
{
    private readonly TuningRecipe _recipe;
    private readonly ConversationDataset _data;
    private readonly TuningModel _model;
    private readonly FusedAdamW _optimiser;
    private readonly SamplePlan _plan;
    private readonly MicroBatchFeed _feed;
    private readonly TuningState _state;
    private readonly LearningRateSchedule _schedule;
    private readonly int[] _samples;
    private readonly ConversationDataset _judge;
    private readonly int[] _heldOut; // of the judge
    private readonly bool _pad;

    /// <param name="folder">The base model; it must stay as it is while the run lives.</param>
    /// <param name="data">Its encoder must be the model's, with the recipe's template, bound, share and seed: <see cref="EncoderFor"/>.</param>
    /// <param name="validation">What <see cref="Evaluate"/> measures on, opened with the same encoder and the caller's like the data; null for the samples that the recipe holds out. With it the recipe must hold out none.</param>
    /// <param name="adapter">An adapter folder to start from; null to start from nothing.</param>
    /// <exception cref="ArgumentException">The recipe is not valid, or does not fit the model or the data.</exception>
    /// <exception cref="CheckpointException">The folder is no model that can be trained.</exception>
    public TuningRun(string folder, TuningRecipe recipe, ConversationDataset data, string? adapter = null, ConversationDataset? validation = null)
    {
        recipe.Require();
        (_recipe, _data) = (recipe, data);
        if (validation is not null && recipe.HeldOut(data.Count) > 0)
        {
            throw new ArgumentException("held_out_share and held_out_count must be 0 where a validation file is given.");
        }

        (_samples, _heldOut) = SamplePlan.Split(data.Count, recipe.HeldOut(data.Count), recipe.Seed);
        (_judge, _heldOut) = validation is null ? (data, _heldOut) : (validation, [.. Enumerable.Range(0, validation.Count)]);
        _plan = new SamplePlan(_samples.Length, recipe.GlobalBatch, recipe.Epochs, recipe.Seed, [.. _samples.Select(sample => data.Lengths[sample])], recipe.GroupByLength);
        _schedule = new LearningRateSchedule(_plan.TotalSteps, (long)Math.Ceiling(_plan.TotalSteps * recipe.WarmupRatio));
        _model = TuningModel.Open(folder, recipe, adapter);
        try
        {
            _pad = PreprocessingConfigReader.Read(folder, _model.Config).Fit == ImageFit.Pad;
            Identity = _model.Identify(data.Digest);
            _optimiser = new FusedAdamW(_model.Groups(), new AdamWOptions());
            _feed = new MicroBatchFeed(data, _samples, _plan, recipe.MicroBatch);
            _state = new TuningState(_model.Parameters, _optimiser, Identity);
        }
        catch
        {
            _optimiser?.Dispose();
            _model.Dispose();
            throw;
        }
    }

    public TuningIdentity Identity { get; }

    public long TotalSteps => _plan.TotalSteps;

    public int StepsPerEpoch => _plan.StepsPerEpoch;

    /// <summary>Steps that were applied.</summary>
    public long Step { get; private set; }

    /// <summary>The learning rate at its peak, of everything but a projector with a rate of its own.</summary>
    public double PeakRate => _recipe.LearningRate;

    /// <summary>Samples that <see cref="Evaluate"/> measures on.</summary>
    public int HeldOut => _heldOut.Length;

    /// <summary>The gradients of all that is trained, end to end in native memory, until the run is disposed; the same layout at every participant.</summary>
    public Span<float> Gradients => _model.Parameters.Gradients.Span;

    /// <summary>What is trained, likewise. Whoever changes it between steps changes the model.</summary>
    public Span<float> Parameters => _model.Parameters.Values.Span;

    /// <summary>Bytes of the base that are held in 8 bits a weight; 0 for a base as it is stored.</summary>
    public long PackedBytes => _model.Packed.Sum(packed => (long)packed.Bytes.Length);

    /// <summary>The encoder a recipe needs its data set to be opened with.</summary>
    public static SampleEncoder EncoderFor(string folder, TuningRecipe recipe) =>
        SampleEncoder.For(folder, recipe.Template, recipe.MaxTokens, recipe.QuestionFirst, recipe.Seed);

    /// <summary>Fills <see cref="Gradients"/> with the gradient of the sum of the losses of this participant's samples. Whatever was in it is forgotten, so a step may be begun again, with another rank or size too.</summary>
    /// <param name="step">Must be <see cref="Step"/>.</param>
    /// <param name="betweenMicroBatches">Called after each, to let others at the device; null for nothing. What it throws leaves the run as it was.</param>
    /// <returns>Of a divergence it does not say the record: <see cref="Blame"/> does.</returns>
    /// <exception cref="InvalidDataException">A record or picture is no longer what it was; it is named.</exception>
    public Accumulation Accumulate(long step, int rank, int size, Action? betweenMicroBatches = null)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(step, Step);
        Gradients.Clear();
        var (losses, terms) = (0.0, 0L);
        for (var i = 0; i < _feed.Count(step, rank, size); i++)
        {
            var batch = _feed.Take(step, i, rank, size);
            if (Backward(batch, step) is not { } loss)
            {
                return Diverged(step, "the loss", batch.Samples);
            }

            losses += loss;
            terms += batch.Tokens.Terms;
            betweenMicroBatches?.Invoke();
        }

        return double.IsFinite(GradientNorm()) ? new Accumulation(losses, terms) : Diverged(step, "a gradient", [.. _plan.Share(step, rank, size).Select(sample => _samples[sample])]);
    }

    /// <summary>Looks for the record that a divergence of <see cref="Accumulate"/> came from. Tries a sample for each element that is asked for: null where it is not that one; ends with the one that it is, or without. The gradients are lost, nothing else changes.</summary>
    public IEnumerable<Divergence?> Blame(Divergence divergence)
    {
        foreach (var sample in divergence.Suspects)
        {
            Gradients.Clear();
            var isIt = Backward(MicroBatchFeed.Load(_data, [sample]), divergence.Step) is null || !double.IsFinite(GradientNorm());
            Gradients.Clear();
            if (isIt)
            {
                var (record, id) = _data.Describe(sample);
                yield return divergence with { Record = record, Id = id };
                yield break;
            }

            yield return null;
        }
    }

    /// <summary>Makes a step of the sum of all participants' gradients and zeroes the buffer.</summary>
    /// <param name="totalTerms">Of all participants; at least 1.</param>
    public StepOutcome Apply(long totalTerms)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(totalTerms);
        Scale(1.0 / totalTerms);
        var norm = GradientNorm();
        if (!double.IsFinite(norm))
        {
            Gradients.Clear();
            return new StepOutcome(norm, 0, new Divergence(Step, null, null, $"the sum of the gradients has norm {norm}"));
        }

        if (_recipe.ClipNorm is { } limit && limit < norm)
        {
            Scale(limit / (norm + 1e-6)); // torch.nn.utils.clip_grad_norm_
        }

        var rate = _schedule.At(Step);
        _optimiser.Step(rate);
        Step++;
        return new StepOutcome(norm, rate);
    }

    /// <summary>A step without samples: nothing changes but <see cref="Step"/>.</summary>
    public StepOutcome Skip()
    {
        Gradients.Clear();
        var rate = _schedule.At(Step);
        Step++;
        return new StepOutcome(0, rate);
    }

    /// <summary>The loss on the samples held out, without dropout.</summary>
    /// <param name="ofBase">Of the model as it was before any training.</param>
    /// <param name="betweenMicroBatches">As of <see cref="Accumulate"/>.</param>
    /// <returns>Null where none are held out.</returns>
    public HeldOutLoss? Evaluate(bool ofBase = false, Action? betweenMicroBatches = null, CancellationToken cancellationToken = default)
    {
        if (_heldOut.Length == 0)
        {
            return null;
        }

        if (!ofBase || _recipe.Method != TuningMethod.Full)
        {
            return Mean(ofBase, betweenMicroBatches, cancellationToken);
        }

        // The base's weights have the trained ones' place.
        var trained = Parameters.ToArray();
        try
        {
            _model.LoadBase();
            return Mean(false, betweenMicroBatches, cancellationToken);
        }
        finally
        {
            trained.CopyTo(Parameters);
        }
    }

    /// <summary>Writes parameters, moments and step as safetensors.</summary>
    public void Save(Stream stream) => _state.Save(stream, Step);

    /// <summary>Goes on where a run of the same recipe, data and model was saved.</summary>
    /// <exception cref="CheckpointException">The state is damaged or another run's. One that ends early leaves the run unusable.</exception>
    public void Restore(Stream stream) => Step = _state.Restore(stream);

    /// <summary>Writes what was learned: an adapter folder in PEFT's layout, or for the method full a model folder. Files are there whole or not at all.</summary>
    public void Export(string folder) => _model.Export(folder, _data.Encoder.Template.Name, _pad);

    public void Dispose()
    {
        _feed.Dispose();
        _optimiser.Dispose();
        _model.Dispose();
    }

    private Accumulation Diverged(long step, string what, IReadOnlyList<int> samples)
    {
        Gradients.Clear();
        return new Accumulation(0, 0, new Divergence(step, null, null, $"{what} is not a finite number") { Suspects = samples });
    }

    // Null where the loss is no number; then nothing was added.
    private double? Backward(MicroBatch batch, long step)
    {
        using var scope = NewDisposeScope();
        var loss = _model.Loss(batch, step);
        var value = loss.item<float>();
        if (!float.IsFinite(value))
        {
            return null;
        }

        if (loss.requires_grad) // samples without pictures teach a projector nothing
        {
            loss.backward();
        }

        return value;
    }

    private double GradientNorm() => L2Norm.Of(Gradients);

    private void Scale(double factor)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var kept = Scalars.Of(factor);
        _model.Parameters.Gradients.Tensor.mul_(kept);
        GC.KeepAlive(kept);
    }

    private HeldOutLoss Mean(bool ofBase, Action? betweenMicroBatches, CancellationToken cancellationToken)
    {
        int[][] batches = [.. _heldOut.Chunk(_recipe.MicroBatch)];
        using var loads = new OrderedPrefetcher<MicroBatch?>(index => index < batches.Length ? MicroBatchFeed.Load(_judge, batches[index]) : null, 0, 2);
        var (losses, terms) = (0.0, 0L);
        for (var i = 0; i < batches.Length; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var batch = loads.Next()!;
            losses += _model.Evaluate(batch, ofBase);
            terms += batch.Tokens.Terms;
            betweenMicroBatches?.Invoke();
        }

        return new HeldOutLoss(losses / terms, terms);
    }
}
