using System.Collections.Concurrent;
using System.Text.Json.Nodes;

namespace LlavaCluster.Cli.Benchmarks.Load;

/// <summary>Chats of one level: what they ask depends on the options and on the chats' numbers alone.</summary>
internal sealed class LoadRun(ILoadTarget target, LoadOptions options, LoadPictures pictures)
{
    /// <summary>Every request that was sent, failed ones too, with times by the given clock.</summary>
    public async Task<IReadOnlyList<LoadRequest>> RunAsync(LoadLevel level, LoadClock clock, CancellationToken cancellationToken)
    {
        var questions = new LoadQuestions(options, pictures);
        var requests = new ConcurrentQueue<LoadRequest>();
        switch (level)
        {
            case LoadLevel.Closed closed:
                var limits = new ParallelOptions { MaxDegreeOfParallelism = closed.Chats, CancellationToken = cancellationToken };
                await Parallel.ForEachAsync(Enumerable.Range(0, options.Chats), limits, async (chat, cancelled) => await ChatAsync(chat, cancelled));
                break;
            case LoadLevel.Poisson poisson:
                await BeginAtRateAsync(poisson.Rate);
                break;
        }

        return [.. requests];

        async Task BeginAtRateAsync(double rate)
        {
            var random = new Random(options.Seed);
            var chats = new List<Task>();
            for (var chat = 0; chat < options.Chats; chat++)
            {
                chats.Add(ChatAsync(chat, cancellationToken));
                var pause = -Math.Log(1 - random.NextDouble()) / rate; // between arrivals of a Poisson process: exponential
                await Task.Delay(TimeSpan.FromSeconds(pause), cancellationToken);
            }

            await Task.WhenAll(chats);
        }

        // A chat whose answer failed ends there: nobody goes on from an answer he has not got.
        async Task ChatAsync(int chat, CancellationToken cancelled)
        {
            var random = options.Draws(options.FirstChat + chat);
            var messages = new JsonArray();
            for (var turn = 0; turn < options.Turns; turn++)
            {
                messages.Add(questions.Ask(chat, turn, random));
                var request = await target.AskAsync(turn, messages, clock, cancelled);
                requests.Enqueue(request);
                if (request.Error is not null)
                {
                    return;
                }

                messages.Add(new JsonObject { ["role"] = "assistant", ["content"] = request.Text });
            }
        }
    }
}
