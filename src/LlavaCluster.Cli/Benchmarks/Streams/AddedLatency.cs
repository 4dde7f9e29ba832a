using LlavaCluster.Cli.Benchmarks.Load;

namespace LlavaCluster.Cli.Benchmarks.Streams;

/// <summary>From a token's leaving the engine to its text at the client, while every stream is under way: neither while they begin nor when the first has ended.</summary>
/// <param name="Tokens">That were given out in that time.</param>
/// <param name="TokensPerSecond">At which they came.</param>
internal sealed record AddedLatency(int Tokens, double TokensPerSecond, Spread Times)
{
    /// <param name="requests">Answers of a <see cref="PacedEngine"/>, by its clock.</param>
    /// <returns>Null where there was no time at which all were under way.</returns>
    public static AddedLatency? Of(IReadOnlyList<LoadRequest> requests)
    {
        var whole = requests.Where(request => request.Error is null).ToList();
        if (whole.Count == 0)
        {
            return null;
        }

        var (from, to) = (whole.Max(request => request.Pieces[0]), whole.Min(request => request.Pieces[^1]));
        var times = whole.SelectMany(Stamps).Where(token => token.Given >= from && token.Given < to).Select(token => token.Came - token.Given).ToList();
        return Spread.Of(times) is { } spread ? new AddedLatency(times.Count, times.Count / (to - from).TotalSeconds, spread) : null;
    }

    private static IEnumerable<(TimeSpan Given, TimeSpan Came)> Stamps(LoadRequest request)
    {
        var begin = 0;
        foreach (var (came, length) in request.Pieces.Zip(request.Lengths))
        {
            foreach (var given in TokenStamp.Read(request.Text.Substring(begin, length)))
            {
                yield return (given, came);
            }

            begin += length;
        }
    }
}
