namespace LlavaCluster.Cli.Benchmarks.Load;

/// <summary>What chats look like and what counts as served in time.</summary>
internal sealed record LoadOptions
{
    /// <summary>Chats of each level.</summary>
    public required int Chats { get; init; }

    /// <summary>Questions of a chat; each after the first resends what was said before, as OpenAI's clients do.</summary>
    public required int Turns { get; init; }

    /// <summary>Tokens of each answer.</summary>
    public required int MaxTokens { get; init; }

    /// <summary>Words of each question.</summary>
    public required int Words { get; init; }

    public required PictureChoice Pictures { get; init; }

    /// <summary>Files to send in turn; where there are none, pictures are drawn.</summary>
    public IReadOnlyList<string> Files { get; init; } = [];

    /// <summary>Chooses words and pictures.</summary>
    public required int Seed { get; init; }

    /// <summary>Added to the numbers of the chats: other numbers, other words and pictures.</summary>
    public int FirstChat { get; init; }

    /// <summary>Of one answer; later it counts as failed.</summary>
    public required TimeSpan Timeout { get; init; }

    /// <summary>Time to first token that a request may take and be good. Default: any.</summary>
    public TimeSpan FirstTokenWithin { get; init; } = TimeSpan.MaxValue;

    /// <summary>Time per further token, on average, that a request may take and be good. Default: any.</summary>
    public TimeSpan TokenWithin { get; init; } = TimeSpan.MaxValue;

    /// <summary>Draws of a chat or a picture, the same in every process (System.Random's seeded sequence is fixed; HashCode's is not).</summary>
    public Random Draws(int number) => new(unchecked((Seed * 16_777_619) ^ number));
}

/// <summary>Which picture the first question of a chat comes with.</summary>
internal enum PictureChoice
{
    /// <summary>One that no other chat has.</summary>
    Own,

    /// <summary>The same for all.</summary>
    Same,

    None,
}
