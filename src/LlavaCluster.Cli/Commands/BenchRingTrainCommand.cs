using System.CommandLine;
using System.Text.Json;
using LlavaCluster.Cli.Benchmarks.Ring.Members;
using LlavaCluster.Cli.Serving;
using LlavaCluster.Training.Scenes;
using LlavaCluster.Training.Tuning;
using Spectre.Console;
using static LlavaCluster.Cli.Commands.OptionBounds;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>llava bench ring train</c>: what a second trainer brings, in both ways of training together.</summary>
internal static class BenchRingTrainCommand
{
    private const string MemberName = "member";
    private const int MostSteps = 100_000;
    private const int HeldOut = 128;

    /// <summary>Small enough for a core, and without chance that two members could not share: dropout follows from the sample.</summary>
    private static readonly TuningRecipe Usual = new()
    {
        Method = TuningMethod.Lora, Lora = new LoraRecipe { Rank = 16, Alpha = 32, Dropout = 0.05 }, GlobalBatch = 8, MicroBatch = 4,
        LearningRate = 1e-3, ProjectorLearningRate = 1e-4, ClipNorm = 1, HeldOutCount = HeldOut,
    };

    public static Command Create(Terminal terminal)
    {
        var model = new Option<string>("--model") { DefaultValueFactory = _ => ServeOptions.ShippedModel, Description = "The model folder." };
        var data = new Option<string?>("--data") { Description = "Conversations to train on. Default: scenes drawn by an artist that the shipped model has not seen (needs npm, for the artwork)." };
        var images = new Option<string?>("--images") { Description = "The folder or zip archive of their pictures." };
        var recipe = new Option<string?>("--recipe") { Description = "A recipe as JSON, as of train; default: an adapter of rank 16, 8 samples a step." };
        var steps = Count("--steps", 400, MostSteps, "Steps, where scenes are drawn; otherwise data and epochs say how many.", least: 20);
        var localSteps = Count("--local-steps", 50, MostSteps, "Steps between two agreements.", least: 2);
        var rounds = Count("--rounds", 1, 1000, "Times that each is measured; medians are printed.");
        var file = new ReportFile();
        var command = new Command("train", "The same fine-tuning by one member, by two that sum gradients at every step, and by two that agree every so many steps; each a process with one thread.")
        {
            model, data, images, recipe, steps, localSteps, rounds, file.Option,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var drawn = Directory.CreateTempSubdirectory("llava-bench-");
            try
            {
                var chosen = parsed.GetValue(recipe) is { } path ? TuningRecipe.Parse(await File.ReadAllTextAsync(path, cancellationToken)) : Usual;
                var (records, pictures) = parsed.GetValue(data) is { } given
                    ? (given, parsed.GetValue(images))
                    : await DrawAsync(drawn.FullName, (parsed.GetValue(steps) * chosen.GlobalBatch) + HeldOut, cancellationToken);
                chosen = parsed.GetValue(data) is null ? chosen with { Epochs = 1, HeldOutCount = HeldOut } : chosen;
                var benchmark = new TeamBenchmark(parsed.GetRequiredValue(model), chosen, records, pictures, ["bench", "ring", MemberName]);
                var report = await benchmark.MeasureAsync(parsed.GetValue(localSteps), parsed.GetValue(rounds), terminal.Error.WriteLine, cancellationToken);
                terminal.Out.Write(new Text(report.ToMarkdown()));
                await file.WriteAsync(parsed, report, cancellationToken);
                return 0;
            }
            catch (Exception exception) when (exception is ArgumentException or JsonException or IOException or UnauthorizedAccessException or InvalidDataException or InvalidOperationException)
            {
                return terminal.Fail(exception.Message);
            }
            finally
            {
                drawn.Delete(recursive: true);
            }
        });
        return command;
    }

    /// <summary>Started by the above, never by a person.</summary>
    public static Command CreateMember(Terminal terminal)
    {
        var command = new Command(MemberName, "One member of the above.") { Hidden = true };
        command.SetAction(_ =>
        {
            try
            {
                new RingMember(terminal.In, Console.Out).Run();
                return 0;
            }
            catch (Exception exception)
            {
                return terminal.Fail(exception.Message); // of whatever kind: whoever measures prints it
            }
        });
        return command;
    }

    private static async Task<(string Data, string Images)> DrawAsync(string folder, int count, CancellationToken cancellationToken)
    {
        var artwork = await new ScenePackages().LoadLibraryAsync(SceneArtist.HeldOut, SceneClasses.Default, cancellationToken);
        await new SceneDataset(new SceneRenderer(artwork), new RuleTeacher(artwork.Classes)).ExportAsync(new SceneExportOptions { Directory = folder, Count = count }, null, cancellationToken);
        return (Path.Combine(folder, SceneDataset.ConversationFile), folder);
    }
}
