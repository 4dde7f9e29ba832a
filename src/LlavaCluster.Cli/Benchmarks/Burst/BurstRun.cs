using System.Text.Json.Nodes;
using LlavaCluster.Cli.Benchmarks.Load;

namespace LlavaCluster.Cli.Benchmarks.Burst;

/// <summary>
/// One round after another: streams begin; when each has had its lead and its quiet pieces of text, the burst is sent; both run to their ends, whose usage
/// says how many tokens the pieces were.
/// </summary>
/// <param name="http">As of <see cref="LoadClient"/>.</param>
internal sealed class BurstRun(HttpClient http, string model, BurstOptions options)
{
    /// <param name="round">From 0; another one asks other things.</param>
    public async Task<BurstRound> RunAsync(int round, CancellationToken cancellationToken)
    {
        // Pictures are drawn before anything is measured: the cores may be the server's too.
        var (streamsOptions, burstOptions) = (options.StreamsOf(round), options.BurstOf(round));
        var (streamQuestions, burstQuestions) = (Questions(streamsOptions), Questions(burstOptions));
        var clock = new LoadClock(TimeProvider.System);
        var quiet = new Milestone(options.Streams, options.Lead + options.Quiet);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var streams = Ask(new LoadClient(http, model, streamsOptions, quiet.Note), streamQuestions, clock, stop.Token);
        try
        {
            var first = await Task.WhenAny([quiet.Reached, .. streams]);
            if (!quiet.Reached.IsCompleted)
            {
                return EndedEarly(await (Task<LoadRequest>)first);
            }

            var sent = clock.Now;
            var burst = await Task.WhenAll(Ask(new LoadClient(http, model, burstOptions), burstQuestions, clock, stop.Token));
            return BurstRound.Of(options, sent, await Task.WhenAll(streams), burst);
        }
        finally
        {
            await stop.CancelAsync();
            await ((Task)Task.WhenAll(streams)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // those still under way have been told to end
        }
    }

    private static List<JsonArray> Questions(LoadOptions options)
    {
        var questions = new LoadQuestions(options, new LoadPictures(options));
        return [.. Enumerable.Range(0, options.Chats).Select(chat => new JsonArray(questions.Ask(chat, turn: 0, options.Draws(options.FirstChat + chat))))];
    }

    private static List<Task<LoadRequest>> Ask(LoadClient client, List<JsonArray> questions, LoadClock clock, CancellationToken cancellationToken) =>
        questions.ConvertAll(question => client.AskAsync(turn: 0, question, clock, cancellationToken));

    private BurstRound EndedEarly(LoadRequest stream) => new BurstRound.Failed(
        [stream.Error ?? $"A stream ended after {stream.Pieces.Count} pieces of text, before each had had the {options.Lead + options.Quiet} of --lead and --quiet: --max-tokens must be larger; was {options.MaxTokens}."]);
}
