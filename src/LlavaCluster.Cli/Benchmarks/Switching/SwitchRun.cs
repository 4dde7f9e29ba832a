using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using LlavaCluster.Cli.Benchmarks.Load;
using LlavaCluster.Cli.Tuning;
using LlavaCluster.Model.Config;

namespace LlavaCluster.Cli.Benchmarks.Switching;

/// <summary>
/// Chats with an adapter's name while its traffic changes. First every version answers every question alone; then many chats ask at once, and each time one has its answer the traffic changes, so that all of it is
/// changed under them however fast the server is. An answer must be that of the version the server names, to the letter, and that version must have been one of the name's when it was chosen.
/// </summary>
internal sealed class SwitchRun(HttpClient http, LlavaConfig config, string model, SwitchOptions options, Action<string> tell)
{
    private readonly TuningApi _api = new(http, TimeProvider.System);
    private readonly LoadClock _clock = new(TimeProvider.System);
    private readonly string _name = $"bench-{Guid.NewGuid():n}"[..14];

    /// <exception cref="InvalidDataException">A version does not answer even alone.</exception>
    /// <exception cref="TuningApiException">The server refused a version or a change.</exception>
    public async Task<SwitchReport> RunAsync(CancellationToken cancellationToken)
    {
        var versions = await SwitchVersions.ImportAsync(_api, config, model, _name, options.Ranks, options.Load.Seed, cancellationToken);
        try
        {
            return await RunAsync(versions, cancellationToken);
        }
        finally
        {
            await _api.DeleteAsync($"v1/models/{model}:{_name}", CancellationToken.None);
        }
    }

    private async Task<SwitchReport> RunAsync(IReadOnlyList<string> versions, CancellationToken cancellationToken)
    {
        var questions = new LoadQuestions(options.Load, new LoadPictures(options.Load));
        var asked = Enumerable.Range(0, options.Load.Chats).Select(chat => new JsonArray(questions.Ask(chat, 0, options.Load.Draws(chat)))).ToList();
        var client = new LoadClient(http, $"{model}:{_name}", options.Load);
        var references = new SwitchReferences(versions);
        foreach (var version in versions)
        {
            await SwitchVersions.UseAsync(_api, _name, version, cancellationToken);
            foreach (var question in asked)
            {
                references.Add(version, await client.AskAsync(0, question, _clock, cancellationToken));
            }

            tell($"version {version[..8]} has answered alone");
        }

        var changes = new TrafficChanges(_api, _name, versions, new TrafficState(versions[^1], null), _clock, options.Load.Seed);
        var began = _clock.Now;
        var requests = await ChatAsync(client, asked, changes, cancellationToken);
        return Report(references, changes, requests, _clock.Now - began);
    }

    private async Task<IReadOnlyList<(int Question, LoadRequest Request)>> ChatAsync(LoadClient client, List<JsonArray> asked, TrafficChanges changes, CancellationToken cancellationToken)
    {
        using var changed = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var requests = new ConcurrentQueue<(int, LoadRequest)>();
        // One that is full has a change to come already.
        var answers = Channel.CreateBounded<bool>(new BoundedChannelOptions(options.AtOnce) { FullMode = BoundedChannelFullMode.DropWrite });
        await Task.WhenAll([ChangeAsync(), .. Enumerable.Range(0, options.AtOnce).Select(ChatOnAsync)]);
        return [.. requests];

        async Task ChangeAsync()
        {
            try
            {
                while (changes.History.Changes < options.Changes)
                {
                    await answers.Reader.ReadAsync(cancellationToken);
                    await changes.MakeAsync(cancellationToken);
                }
            }
            finally
            {
                await changed.CancelAsync();
            }
        }

        // What is being answered when the last change is made is answered to its end.
        async Task ChatOnAsync(int chat)
        {
            for (var question = chat % asked.Count; !changed.IsCancellationRequested; question = (question + 1) % asked.Count)
            {
                requests.Enqueue((question, await client.AskAsync(0, asked[question], _clock, cancellationToken)));
                answers.Writer.TryWrite(true);
            }
        }
    }

    private SwitchReport Report(SwitchReferences references, TrafficChanges changes, IReadOnlyList<(int Question, LoadRequest Request)> requests, TimeSpan took) => new()
    {
        Model = model, Ranks = options.Ranks, AtOnce = options.AtOnce, Changes = changes.History.Changes, RollBacks = changes.RollBacks, Seconds = took.TotalSeconds,
        Requests = requests.Count, Tokens = requests.Sum(asked => asked.Request.Tokens), Alike = references.Alike,
        ByVersion = [.. references.Versions.Select(version => requests.Count(asked => asked.Request.Fingerprint == version))],
        Failures = [.. requests.Select(asked => asked.Request.Error).OfType<string>()],
        Wrong = [.. changes.Wrong, .. requests.Select(asked => references.Problem(asked.Question, asked.Request, changes.History)).OfType<string>()],
    };
}
