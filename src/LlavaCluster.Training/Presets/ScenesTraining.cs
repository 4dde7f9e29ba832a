using LlavaCluster.Model.Config;
using LlavaCluster.Model.Layers;
using LlavaCluster.Model.Text;
using LlavaCluster.Model.Weights;
using LlavaCluster.Training.Data;
using LlavaCluster.Training.Objectives;
using LlavaCluster.Training.Precision;
using LlavaCluster.Training.Replicas;
using LlavaCluster.Training.Runs;
using LlavaCluster.Training.Scenes;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Presets;

/// <summary>
/// Trains the shipped model from the artwork packages to a Hugging Face folder, in the paper's order: a tower and a language model of our own in place of CLIP and
/// Vicuna (the latter learns from pictures told in words: first to look names up, then to converse), then the projector alone (on captions, then on patches, which it brings to
/// those words), then projector and language model with the tower frozen. Each phase leaves a checkpoint in the work folder; a cancelled run goes
/// on where it was. Blocks its thread, which becomes the training thread.
/// </summary>
/// <param name="work">Checkpoints and the tokeniser; keep it to resume.</param>
/// <param name="replicas">Threads that compute.</param>
/// <param name="from">What to go on from, at lower rates, in place of the phases before; null to train from nothing. Its scenes come again where it was trained with the recipe's seed.</param>
public sealed class ScenesTraining(ScenesRecipe recipe, ArtworkLibrary artwork, string work, int replicas, TimeProvider time, ScenesContinuation? from = null)
{
    private const int CorpusScenes = 3000;

    // Questions about where things are need several that are alone of their class, and the scenes of an examination hold fewer of those.
    private readonly SceneRenderer _renderer = new(artwork, new SceneOptions { Repeats = 0.45f });
    private readonly RuleTeacher _teacher = new(artwork.Classes);
    private readonly bool _autocast = Autocast.IsFaster;

    /// <param name="folder">Where the model is written at every checkpoint of the last phase, so that it can be tried while it learns, and at its end.</param>
    /// <returns>Whether the run is complete.</returns>
    public bool Run(string folder, Action<TrainingProgress> report, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(work);
        var tokenizer = Tokenizer();
        var pieces = SentencePieceTokenizer.Read(tokenizer).Count;
        var config = ScenesRecipe.Config(pieces);
        var samples = new SceneSamples(_renderer, _teacher, TextCodec.ForTraining(tokenizer, config), recipe);
        using var start = from is null ? null : CheckpointReader.Open(from.Folder);
        var random = new WeightInitializer(config, recipe.Seed, CPU);
        IWeightSource rest = start is null ? random : new CheckpointCopies(start, random);
        if (from is not null)
        {
            return (!from.Tower || (Look(recipe.ContinuedEncoder) && Align([recipe.Encoder], IsNoTower)))
                && LearnTokens(recipe.Continued, from.Tower ? [recipe.Alignment, recipe.Encoder] : [], (first, count) => samples.Instructions(first, count), from.Tower ? IsLanguage : Any, IsTaught, Export)
                && Exported();
        }

        return Look(recipe.Encoder)
            && Learn(recipe.Recall, [], (first, count) => samples.Recall(first, count), Told, Any, IsLanguage)
            && Learn(recipe.Language, [recipe.Recall], (first, count) => samples.Language(first, count), Told, Any, IsLanguage)
            && LearnTokens(recipe.Projector, [recipe.Language, recipe.Encoder], (first, count) => samples.Captions(first, count), IsProjector, IsProjector)
            && Align([recipe.Projector, recipe.Language, recipe.Encoder], None)
            && LearnTokens(recipe.Instruction, [recipe.Alignment, recipe.Language, recipe.Encoder], (first, count) => samples.Instructions(first, count), None, IsTaught, Export)
            && Exported();

        bool Look(PhaseOptions phase) =>
            Learn(phase, [], (first, count) => samples.Patches(first, count), weights => new PatchObjective(config, weights, artwork.Classes.Count + 1, _autocast), Any, IsTowerOrHead);

        bool Align(PhaseOptions[] after, Func<string, bool> isFresh) =>
            Learn(recipe.Alignment, after, (first, count) => samples.Patches(first, count), weights => new WordAlignmentObjective(config, weights, samples.Words, _autocast), isFresh, IsProjector);

        NextTokenObjective Told(IWeightSource weights) => new(config, weights, _autocast, samples.Words);

        bool LearnTokens(PhaseOptions phase, PhaseOptions[] after, Func<long, int, TokenBatch> prepare, Func<string, bool> isFresh, Func<string, bool> trains, Action? saved = null) =>
            Learn(phase, after, prepare, weights => new NextTokenObjective(config, weights, _autocast), isFresh, trains, saved);

        bool Learn<TBatch>(
            PhaseOptions phase, PhaseOptions[] after, Func<long, int, TBatch> prepare, Func<IWeightSource, IObjective<TBatch>> create, Func<string, bool> isFresh, Func<string, bool> trains, Action? saved = null)
        {
            if (Complete(phase))
            {
                return true;
            }

            using var weights = new CheckpointSource([.. after.Select(File)], rest, isFresh);
            using var group = new ReplicaGroup<TBatch>(create, weights, replicas, trains);
            return new Phase<TBatch>(group, prepare, phase, time).Run(File(phase), report, saved, cancellationToken);
        }

        void Export() => Write(folder, config, tokenizer, rest);

        bool Exported()
        {
            Export(); // the folder may be another one than when the phase ended
            return true;
        }
    }

    private static bool Any(string name) => true;

    private static bool None(string name) => false;

    private static bool IsNoTower(string name) => !name.StartsWith("vision_tower.", StringComparison.Ordinal);

    private static bool IsTowerOrHead(string name) => name.StartsWith("vision_tower.", StringComparison.Ordinal) || name.StartsWith("dense_head.", StringComparison.Ordinal);

    private static bool IsLanguage(string name) => name.StartsWith("language_model.", StringComparison.Ordinal) || name.StartsWith("lm_head.", StringComparison.Ordinal);

    private static bool IsTaught(string name) => IsProjector(name) || IsLanguage(name);

    private static bool IsProjector(string name) => name.StartsWith("multi_modal_projector.", StringComparison.Ordinal);

    private string File(PhaseOptions phase) => Path.Combine(work, phase.Name + ".safetensors");

    private bool Complete(PhaseOptions phase)
    {
        if (!System.IO.File.Exists(File(phase)))
        {
            return false;
        }

        using var file = SafetensorsFile.Open(File(phase));
        return PhaseCheckpoint.StepOf(file) >= phase.Steps;
    }

    private string Tokenizer()
    {
        if (from is not null)
        {
            return Path.Combine(from.Folder, "tokenizer.model");
        }

        var file = Path.Combine(work, "tokenizer.model");
        if (!System.IO.File.Exists(file))
        {
            var model = SentencePieceTrainer.Train(SceneSamples.Corpus(_renderer, _teacher, recipe, CorpusScenes), recipe.VocabularySize);
            System.IO.File.WriteAllBytes(file + ".new", model);
            System.IO.File.Move(file + ".new", file, overwrite: true);
        }

        return file;
    }

    private void Write(string folder, LlavaConfig config, string tokenizer, IWeightSource rest)
    {
        using var weights = from is null or { Tower: true }
            ? new CheckpointSource([File(recipe.Instruction), File(recipe.Encoder)], rest, None)
            : new CheckpointSource([File(recipe.Instruction)], rest, Any);
        ModelFolderWriter.Write(folder, config, planned => weights.Take(planned.Name, [.. planned.Shape]), System.IO.File.ReadAllBytes(tokenizer), ScalarType.BFloat16, ConversationTemplate.Bare.Name, pad: true);
    }
}
