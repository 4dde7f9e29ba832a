using LlavaCluster.Cli.Benchmarks.Load;

namespace LlavaCluster.Cli.Benchmarks.Burst;

/// <summary>Chats that stream, and the chats with pictures that come all at once while they do.</summary>
internal sealed record BurstOptions
{
    /// <summary>Chats that stream.</summary>
    public required int Streams { get; init; }

    /// <summary>Tokens of each stream: it must outlast the burst.</summary>
    public required int MaxTokens { get; init; }

    /// <summary>Chats that come at once.</summary>
    public required int Burst { get; init; }

    /// <summary>Tokens of each of their answers.</summary>
    public required int BurstTokens { get; init; }

    /// <summary>Pieces of text that every stream has had before the quiet time begins.</summary>
    public required int Lead { get; init; }

    /// <summary>Pieces of text that every stream has in the quiet time at least; then the burst is sent.</summary>
    public required int Quiet { get; init; }

    /// <summary>Words of each question.</summary>
    public required int Words { get; init; }

    /// <summary>Chooses words and pictures.</summary>
    public required int Seed { get; init; }

    /// <summary>Of one answer; later it counts as failed.</summary>
    public required TimeSpan Timeout { get; init; }

    /// <summary>The streams of a round, which asks nothing that another asked.</summary>
    public LoadOptions StreamsOf(int round) => Chats(Streams, MaxTokens, round * (Streams + Burst), PictureChoice.None);

    /// <summary>The burst of a round, a new picture each.</summary>
    public LoadOptions BurstOf(int round) => Chats(Burst, BurstTokens, (round * (Streams + Burst)) + Streams, PictureChoice.Own);

    private LoadOptions Chats(int chats, int tokens, int first, PictureChoice pictures) => new()
    {
        Chats = chats, FirstChat = first, Turns = 1, MaxTokens = tokens, Words = Words, Pictures = pictures, Seed = Seed, Timeout = Timeout,
    };
}
