using System.CommandLine;
using LlavaCluster.Training.Presets;
using LlavaCluster.Training.Precision;
using LlavaCluster.Training.Runs;
using LlavaCluster.Training.Scenes;
using LlavaCluster.Training.Tuning;
using Spectre.Console;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>llava train</c>: fine-tunes a model on conversations, or makes the shipped model from nothing, on this machine.</summary>
internal static class TrainCommand
{
    private const string Scenes = "scenes";

    public static Command Create(Terminal terminal)
    {
        var preset = new Option<string?>("--preset") { Description = $"A published recipe to start from ({string.Join(", ", TuningPresets.All.Keys)}), or {Scenes}: this repository's model from nothing." };
        preset.AcceptOnlyFromAmong([Scenes, .. TuningPresets.All.Keys]);
        var folder = new Option<string>("--out") { Required = true, Description = "The adapter or model folder to write." };
        var work = new Option<string?>("--work") { Description = "Checkpoints; a run with the same folder goes on where it was. Default: scenes-work, or beside --out." };
        var threads = new Option<int>("--threads") { DefaultValueFactory = _ => Environment.ProcessorCount, Description = "Threads that compute." }.Within(1, 1024);
        var seed = new Option<int?>("--seed") { Description = "Chooses what is drawn: scenes and first weights, or order, first factors and dropout." }.Within(0, SceneKey.MaxSeed);
        var scale = new Option<double>("--scale") { DefaultValueFactory = _ => 1, Description = $"With --preset {Scenes}: share of the recipe's steps, for a shorter and worse run; greater than 0." };
        scale.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is not (> 0 and <= 100))
            {
                result.AddError($"--scale must be greater than 0 and at most 100; was {result.Tokens[0].Value}.");
            }
        });
        var from = new Option<string?>("--from") { Description = $"What to go on from. With --preset {Scenes}: a model of the preset, of which only the last phase runs (instruction); give another --seed than it was trained with, so that it sees other scenes. Otherwise: an adapter of the same recipe." };
        var tower = new Option<bool>("--tower") { Description = $"With --preset {Scenes} and --from: let the vision tower learn on too, and the projector be aligned to it anew, before the last phase." };
        var tuning = new TuningOptions();
        var command = new Command("train", "Train a model.") { preset, folder, work, threads, seed, scale, from, tower };
        tuning.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            if (parsed.GetValue(preset) == Scenes)
            {
                var artwork = await new ScenePackages().LoadLibraryAsync(SceneArtist.Training, SceneClasses.Default, cancellationToken);
                return RunScenes(new ScenesRecipe { Seed = parsed.GetValue(seed) ?? 1 }.Scale(parsed.GetRequiredValue(scale)), artwork, parsed.GetRequiredValue(folder), parsed.GetValue(work) ?? "scenes-work", parsed.GetRequiredValue(threads), parsed.GetValue(from) is { } model ? new ScenesContinuation(model, parsed.GetValue(tower)) : null, cancellationToken);
            }

            var target = parsed.GetRequiredValue(folder);
            return tuning.Read(parsed, parsed.GetValue(preset), parsed.GetValue(seed)) switch
            {
                ({ } request, _) => new TuneRun(terminal, request with { Out = target, Work = parsed.GetValue(work) ?? Path.TrimEndingDirectorySeparator(target) + "-work", From = parsed.GetValue(from), Threads = parsed.GetRequiredValue(threads) }).Execute(cancellationToken),
                (_, var fault) => terminal.Fail(fault),
            };
        });
        return command;
    }

    private static int RunScenes(ScenesRecipe recipe, ArtworkLibrary artwork, string folder, string work, int threads, ScenesContinuation? from, CancellationToken cancellationToken)
    {
        TorchSharp.torch.set_num_threads(1); // a replica is a thread
        _ = MatmulPrecision.TryAllowBFloat16();
        var complete = new ScenesTraining(recipe, artwork, work, threads, TimeProvider.System, from).Run(folder, Print, cancellationToken);
        AnsiConsole.WriteLine(complete ? $"Written to {folder}." : $"Stopped; run the same command to go on from {work}.");
        return complete ? 0 : 130;
    }

    private static void Print(TrainingProgress at) => AnsiConsole.WriteLine(
        $"{at.Phase,-12} step {at.Step}/{at.Steps}  loss {at.Loss:0.0000}  lr {at.LearningRate:0.0e+0}  {at.SamplesPerSecond:0} samples/s  {at.TermsPerSecond:0} tokens/s  {at.Elapsed:h\\:mm\\:ss} elapsed, {at.Remaining:h\\:mm\\:ss} left");
}
