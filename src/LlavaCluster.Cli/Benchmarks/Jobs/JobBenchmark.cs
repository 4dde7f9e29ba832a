using System.Text.Json.Nodes;
using LlavaCluster.Cli.Benchmarks.Load;
using LlavaCluster.Cli.Commands;
using LlavaCluster.Cli.Tuning;

namespace LlavaCluster.Cli.Benchmarks.Jobs;

/// <summary>Chats alone, a job alone, both, chats alone again; then a short job to its end, and how long its adapter takes to answer.</summary>
internal sealed class JobBenchmark(HttpClient http, string model, JobBenchmarkOptions options, Action<string> tell)
{
    private const int MostEpochs = 50; // of a job that is cancelled before
    private const string Jobs = "v1/fine_tuning/jobs";

    private readonly TuningApi _api = new(http, TimeProvider.System);
    private readonly LoadClock _clock = new(TimeProvider.System);
    private readonly string _name = $"bench-{Guid.NewGuid():n}"[..14];

    /// <exception cref="InvalidDataException">A chat or a job failed.</exception>
    /// <exception cref="TuningApiException">The server refused a job.</exception>
    public async Task<JobReport> RunAsync(CancellationToken cancellationToken)
    {
        var pictures = new LoadPictures(options.Load);
        var (many, few, zip) = await UploadAsync(pictures, cancellationToken);
        var questions = new LoadQuestions(options.Load, pictures);
        var asked = Enumerable.Range(0, options.Load.Chats).Select(chat => new JsonArray(questions.Ask(chat, 0, options.Load.Draws(chat)))).ToList();
        var chats = new SteadyChats(new LoadClient(http, model, options.Load), asked, options.AtOnce, _clock);
        await chats.RunAsync(options.Stretch / 4, cancellationToken); // what is compiled and cached once is not what is compared
        var before = await StretchAsync("chats alone", chats, cancellationToken);

        var (beside, stepsAlone, stepsBeside) = await BesideAsync(await CreateAsync(many, zip, MostEpochs, cancellationToken), chats, cancellationToken);
        var after = await StretchAsync("chats alone again", chats, cancellationToken);
        return new JobReport
        {
            Model = model, AtOnce = options.AtOnce, Before = before, Beside = beside, After = after,
            StepsAlone = stepsAlone, StepsBeside = stepsBeside, FirstAnswerSeconds = await FirstAnswerAsync(few, zip, asked[0], cancellationToken),
        };
    }

    /// <summary>A job alone, then chats beside it; it is cancelled whatever happens.</summary>
    private async Task<(ChatStretch Chats, double StepsAlone, double StepsBeside)> BesideAsync(string job, SteadyChats chats, CancellationToken cancellationToken)
    {
        var steps = new JobSteps(_api, job, _clock);
        var watch = steps.WatchAsync(cancellationToken);
        try
        {
            await steps.Begun.WaitAsync(cancellationToken);
            var alone = _clock.Now;
            await Task.Delay(options.Stretch, cancellationToken);
            var both = _clock.Now;
            tell("job alone: done");
            var beside = await StretchAsync("chats beside the job", chats, cancellationToken);
            return watch.IsCompleted
                ? throw new InvalidDataException($"The job ended after {MostEpochs} epochs, before the chats beside it did: give more --data or fewer --seconds.")
                : (beside, steps.PerSecond(alone, both), steps.PerSecond(both, _clock.Now));
        }
        finally
        {
            if (!watch.IsCompleted)
            {
                await _api.PostAsync($"{Jobs}/{job}/cancel", null, CancellationToken.None);
            }

            await watch;
        }
    }

    private async Task<ChatStretch> StretchAsync(string name, SteadyChats chats, CancellationToken cancellationToken)
    {
        var stretch = await chats.RunAsync(options.Stretch, cancellationToken);
        tell($"{name}: done");
        return stretch;
    }

    private async Task<(string Many, string Few, string? Pictures)> UploadAsync(LoadPictures pictures, CancellationToken cancellationToken)
    {
        if (options.Data is { } given)
        {
            var data = await UploadAsync(given);
            return (data, data, options.Pictures is { } zip ? await UploadAsync(zip) : null);
        }

        using var drawn = new DrawnConversations(pictures);
        return (await UploadAsync(drawn.ManyRecords), await UploadAsync(drawn.FewRecords), await UploadAsync(drawn.Pictures));

        Task<string> UploadAsync(string file) => FilesCommand.UploadAsync(_api, file, "fine-tune", cancellationToken);
    }

    private async Task<string> CreateAsync(string data, string? pictures, int epochs, CancellationToken cancellationToken)
    {
        var body = new JsonObject
        {
            ["model"] = model, ["training_file"] = data, ["images_file"] = pictures, ["suffix"] = _name,
            ["method"] = new JsonObject
            {
                ["type"] = "supervised",
                ["supervised"] = new JsonObject { ["hyperparameters"] = new JsonObject { ["n_epochs"] = epochs, ["batch_size"] = options.Batch.Step, ["micro_batch"] = options.Batch.Micro } },
            },
        };
        return (string)(await _api.PostAsync(Jobs, body, cancellationToken))["id"]!;
    }

    private async Task<double> FirstAnswerAsync(string data, string? pictures, JsonArray question, CancellationToken cancellationToken)
    {
        var job = await CreateAsync(data, pictures, 1, cancellationToken);
        var ended = await new JobSteps(_api, job, _clock).WatchAsync(cancellationToken);
        var answer = await new LoadClient(http, $"{model}:{_name}", options.Load).AskAsync(0, question, _clock, cancellationToken);
        if (answer.Error is { } error)
        {
            var info = await _api.GetAsync($"{Jobs}/{job}", cancellationToken);
            throw new InvalidDataException($"The job is {info["status"]}, and its adapter does not answer: {error} {info["error"]?["message"]}".TrimEnd());
        }

        await _api.DeleteAsync($"v1/models/{model}:{_name}", cancellationToken);
        return (answer.Began + answer.FirstToken - ended).TotalSeconds;
    }
}
