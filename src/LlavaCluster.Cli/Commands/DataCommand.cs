using System.CommandLine;
using LlavaCluster.Training.Scenes;
using Spectre.Console;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>llava data</c>: makes training data.</summary>
internal static class DataCommand
{
    private const int ReportEvery = 1000;

    public static Command Create() => new("data", "Make training data.") { Scenes() };

    private static Command Scenes()
    {
        var folder = new Option<string>("--out") { Required = true, Description = "A new or empty folder." };
        var count = new Option<int>("--count") { Required = true, Description = $"Scenes, 1 to {SceneExportOptions.MaxCount}." };
        var seed = new Option<int>("--seed") { DefaultValueFactory = _ => 1, Description = $"0 to {SceneKey.MaxSeed}." };
        var voice = new Option<string>("--voice") { DefaultValueFactory = _ => "plain", Description = $"How answers sound ({string.Join(", ", SceneVoice.All.Keys)}): something for an adapter to learn." };
        voice.AcceptOnlyFromAmong([.. SceneVoice.All.Keys]);
        var command = new Command("scenes", "Draw scenes and write them as pictures, COCO annotations and LLaVA conversations.") { folder, count, seed, voice };
        command.SetAction((parsed, cancellationToken) => ExportAsync(
            new SceneExportOptions { Directory = parsed.GetRequiredValue(folder), Count = parsed.GetRequiredValue(count), Seed = parsed.GetRequiredValue(seed), Voice = SceneVoice.All[parsed.GetRequiredValue(voice)] }, cancellationToken));
        return command;
    }

    private static async Task<int> ExportAsync(SceneExportOptions options, CancellationToken cancellationToken)
    {
        try
        {
            var artwork = await new ScenePackages().LoadLibraryAsync(SceneArtist.Training, SceneClasses.Default, cancellationToken);
            var progress = new Progress<int>(done =>
            {
                if (done % ReportEvery == 0)
                {
                    AnsiConsole.WriteLine($"{done} of {options.Count} scenes");
                }
            });
            await new SceneDataset(new SceneRenderer(artwork), new RuleTeacher(artwork.Classes)).ExportAsync(options, progress, cancellationToken);
            AnsiConsole.WriteLine($"{options.Count} scenes written to {options.Directory}.");
            return 0;
        }
        catch (Exception exception) when (exception is ArgumentException or IOException or UnauthorizedAccessException or InvalidOperationException or InvalidDataException)
        {
            AnsiConsole.MarkupLineInterpolated($"[red]{exception.Message}[/]");
            return 1;
        }
    }
}
