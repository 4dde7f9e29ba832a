using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using LlavaCluster.Cli.Benchmarks.Load;

namespace LlavaCluster.Cli.Benchmarks.Jobs;

/// <summary>As many chats at once as asked for, for as long as asked for: the next begins when one ends.</summary>
internal sealed class SteadyChats(ILoadTarget target, IReadOnlyList<JsonArray> questions, int atOnce, LoadClock clock)
{
    private int _next = -1; // no stretch begins with what the one before it asked last

    /// <exception cref="InvalidDataException">A chat failed: the times of the others say nothing then.</exception>
    public async Task<ChatStretch> RunAsync(TimeSpan length, CancellationToken cancellationToken)
    {
        var requests = new ConcurrentQueue<LoadRequest>();
        var began = clock.Now;
        await Task.WhenAll(Enumerable.Range(0, atOnce).Select(_ => ChatAsync()));
        return requests.FirstOrDefault(request => request.Error is not null) is { } failed
            ? throw new InvalidDataException($"A chat failed: {failed.Error}")
            : new ChatStretch(Spread.Of(requests.SelectMany(request => request.Gaps))!, Spread.Of(requests.Select(request => request.FirstToken))!, requests.Sum(request => request.Tokens) / (clock.Now - began).TotalSeconds);

        async Task ChatAsync()
        {
            do
            {
                var question = questions[(int)((uint)Interlocked.Increment(ref _next) % questions.Count)];
                requests.Enqueue(await target.AskAsync(0, question, clock, cancellationToken));
            }
            while (clock.Now - began < length);
        }
    }
}
