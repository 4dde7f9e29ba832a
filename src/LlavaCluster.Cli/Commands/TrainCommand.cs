using System.CommandLine;
using System.Runtime.InteropServices;
using LlavaCluster.Training.Precision;
using LlavaCluster.Training.Presets;
using LlavaCluster.Training.Runs;
using LlavaCluster.Training.Scenes;
using Spectre.Console;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>llava train</c>: runs a preset on this machine.</summary>
internal static class TrainCommand
{
    public static Command Create()
    {
        var preset = new Option<string>("--preset") { Required = true, Description = "What to train: scenes." };
        preset.AcceptOnlyFromAmong("scenes");
        var folder = new Option<string>("--out") { Required = true, Description = "The model folder to write." };
        var work = new Option<string>("--work") { DefaultValueFactory = _ => "scenes-work", Description = "Checkpoints; a run with the same folder goes on where it was." };
        var threads = new Option<int>("--threads") { DefaultValueFactory = _ => Environment.ProcessorCount, Description = "Threads that compute." };
        var scale = new Option<double>("--scale") { DefaultValueFactory = _ => 1, Description = "Share of the recipe's steps, for a shorter and worse run; greater than 0." };
        scale.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is not (> 0 and <= 100))
            {
                result.AddError($"--scale must be greater than 0 and at most 100; was {result.Tokens[0].Value}.");
            }
        });
        var from = new Option<string?>("--from") { Description = "A model of the preset to go on from: only the last phase runs (instruction). Give another --seed than it was trained with, so that it sees other scenes." };
        var seed = new Option<int>("--seed") { DefaultValueFactory = _ => 1, Description = "Chooses scenes and first weights." }.Within(0, SceneKey.MaxSeed);
        var command = new Command("train", "Train a model.") { preset, folder, work, threads, scale, from, seed };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var artwork = await new ScenePackages().LoadLibraryAsync(SceneArtist.Training, SceneClasses.Default, cancellationToken);
            return RunScenes(new ScenesRecipe { Seed = parsed.GetValue(seed) }.Scale(parsed.GetRequiredValue(scale)), artwork, parsed.GetRequiredValue(folder), parsed.GetRequiredValue(work), parsed.GetRequiredValue(threads), parsed.GetValue(from), cancellationToken);
        });
        return command;
    }

    private static int RunScenes(ScenesRecipe recipe, ArtworkLibrary artwork, string folder, string work, int threads, string? from, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
        {
            context.Cancel = true; // the phase saves its checkpoint first
            stop.Cancel();
        });
        TorchSharp.torch.set_num_threads(1); // a replica is a thread
        _ = MatmulPrecision.TryAllowBFloat16();
        var complete = new ScenesTraining(recipe, artwork, work, threads, TimeProvider.System, from).Run(folder, Print, stop.Token);
        AnsiConsole.WriteLine(complete ? $"Written to {folder}." : $"Stopped; run the same command to go on from {work}.");
        return complete ? 0 : 130;
    }

    private static void Print(TrainingProgress at) => AnsiConsole.WriteLine(
        $"{at.Phase,-12} step {at.Step}/{at.Steps}  loss {at.Loss:0.0000}  lr {at.LearningRate:0.0e+0}  {at.SamplesPerSecond:0} samples/s  {at.TermsPerSecond:0} tokens/s  {at.Elapsed:h\\:mm\\:ss} elapsed, {at.Remaining:h\\:mm\\:ss} left");
}
