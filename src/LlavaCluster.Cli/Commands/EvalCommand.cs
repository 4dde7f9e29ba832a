using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using LlavaCluster.Model.Text;
using LlavaCluster.Model.Weights;
using LlavaCluster.Training.Evaluation;
using LlavaCluster.Training.Scenes;
using Spectre.Console;
using TorchSharp;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>llava eval</c>: measures what a model knows.</summary>
internal static class EvalCommand
{
    private const int ReportEvery = 100;
    private const string Seen = "training", HeldOut = "heldout";

    public static Command Create() => new("eval", "Examine a model.") { Scenes() };

    private static Command Scenes()
    {
        var url = new Option<Uri?>("--url") { Description = "Root of a running server; the examination goes through its API.", CustomParser = ParseUrl };
        var model = new Option<string?>("--model") { Description = "A model folder to examine in this process instead." };
        var key = new Option<string?>("--api-key") { Description = "Key for the server." };
        var questions = new Option<int>("--questions") { DefaultValueFactory = _ => SceneQuestionSet.DefaultCount, Description = $"A multiple of {SceneQuestionSet.Unit}." };
        var seed = new Option<int>("--seed") { DefaultValueFactory = _ => 1, Description = "Of the evaluation scenes, which training never sees." };
        var artist = new Option<string[]>("--artist") { DefaultValueFactory = _ => [Seen], Description = $"Whose drawings: {Seen}, {HeldOut}, or artists by name ({string.Join(", ", SceneArtist.All.Keys)}).", AllowMultipleArgumentsPerToken = true };
        artist.AcceptOnlyFromAmong([Seen, HeldOut, .. SceneArtist.All.Keys]);
        var concurrency = new Option<int>("--concurrency") { DefaultValueFactory = _ => 8, Description = "Requests under way at once." };
        var file = new Option<string?>("--out") { Description = "A JSON file for the figures and every answer." };
        var command = new Command("scenes", "Ask about scenes never seen in training and grade the answers.") { url, model, key, questions, seed, artist, concurrency, file };
        questions.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is var count && (count <= 0 || count % SceneQuestionSet.Unit != 0))
            {
                result.AddError($"--questions must be a positive multiple of {SceneQuestionSet.Unit}; was {count}.");
            }
        });
        concurrency.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is var requests and (< 1 or > 1024))
            {
                result.AddError($"--concurrency must be between 1 and 1024; was {requests}.");
            }
        });
        command.Validators.Add(result =>
        {
            if (result.GetResult(url) is null == result.GetResult(model) is null)
            {
                result.AddError("Give one of --url and --model.");
            }
        });
        command.SetAction((parsed, cancellationToken) => RunAsync(
            new Request(parsed.GetValue(url), parsed.GetValue(model), parsed.GetValue(key), parsed.GetValue(questions), parsed.GetValue(seed), parsed.GetRequiredValue(artist), parsed.GetValue(concurrency), parsed.GetValue(file)),
            cancellationToken));
        return command;
    }

    private static Uri? ParseUrl(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        if (Uri.TryCreate(text, UriKind.Absolute, out var url) && (url.Scheme == Uri.UriSchemeHttp || url.Scheme == Uri.UriSchemeHttps))
        {
            return url;
        }

        result.AddError($"--url must be an http or https URL; was \"{text}\".");
        return null;
    }

    private static async Task<int> RunAsync(Request request, CancellationToken cancellationToken)
    {
        try
        {
            var artists = request.Artists.SelectMany(name => name switch { Seen => SceneArtist.Training, HeldOut => SceneArtist.HeldOut, _ => [SceneArtist.All[name]] });
            var artwork = await new ScenePackages().LoadLibraryAsync([.. artists.Distinct()], SceneClasses.Default, cancellationToken);
            using var examinee = await ConnectAsync(request, cancellationToken);
            var answers = await new SceneExamination(new SceneRenderer(artwork)).RunAsync(request.Questions, request.Seed, examinee, new Counter(request.Questions), cancellationToken);
            AnsiConsole.WriteLine(SceneExamination.Report(answers).ToMarkdown());
            if (request.File is { } path)
            {
                await using var stream = File.Create(path);
                SceneExamination.WriteJson(stream, Settings(request), answers);
            }

            return 0;
        }
        catch (Exception exception) when (exception is HttpRequestException or CheckpointException or NotSupportedException or ArgumentException or IOException or InvalidOperationException or InvalidDataException)
        {
            AnsiConsole.MarkupLineInterpolated($"[red]{exception.Message}[/]");
            return 1;
        }
    }

    private static async Task<IExaminee> ConnectAsync(Request request, CancellationToken cancellationToken)
    {
        if (request.Model is { } folder)
        {
            torch.set_num_threads(1); // a small model gains nothing from a second
            return new ModelExaminee(folder, ConversationTemplate.Bare);
        }

        var root = request.Url!.AbsoluteUri;
        var http = new HttpClient { BaseAddress = new Uri(root.EndsWith('/') ? root : root + "/") };
        return await ChatApiExaminee.ConnectAsync(http, request.Key, request.Concurrency, cancellationToken);
    }

    private static Dictionary<string, string> Settings(Request request) => new()
    {
        ["artist"] = string.Join(", ", request.Artists),
        ["questions"] = request.Questions.ToString(CultureInfo.InvariantCulture),
        ["seed"] = request.Seed.ToString(CultureInfo.InvariantCulture),
    };

    private sealed record Request(Uri? Url, string? Model, string? Key, int Questions, int Seed, IReadOnlyList<string> Artists, int Concurrency, string? File);

    private sealed class Counter(int total) : IProgress<int>
    {
        public void Report(int value)
        {
            if (value % ReportEvery == 0)
            {
                AnsiConsole.WriteLine($"{value} of {total} questions");
            }
        }
    }
}
