using LlavaCluster.Engine.Adapters;
using LlavaCluster.Engine.Caching;
using LlavaCluster.Engine.Sampling;

namespace LlavaCluster.Engine.Scheduling;

/// <summary>What a <see cref="Sequence"/> is made from; constant for its life.</summary>
internal sealed record SequenceSpec
{
    /// <summary>Prompt and, for a resumed request, the tokens emitted so far. Image positions hold the image token.</summary>
    public required int[] Tokens { get; init; }

    /// <summary>How many of <see cref="Tokens"/> are the prompt.</summary>
    public required int PromptTokens { get; init; }

    /// <summary>The most tokens the sequence can ever have.</summary>
    public required int MaxTokens { get; init; }

    /// <summary>In order of position, not overlapping.</summary>
    public ImageSpan[] Images { get; init; } = [];

    public required CacheScope Scope { get; init; }

    /// <summary>The tenant's share of the device relative to other tenants.</summary>
    public double Weight { get; init; } = 1;

    public RequestPriority Priority { get; init; }

    public DateTimeOffset? Deadline { get; init; }

    /// <summary>What its next tokens are drawn by; for the runner.</summary>
    public DrawKind Draw { get; init; }

    /// <summary>Slot of its adapter; for the runner.</summary>
    public int Adapter { get; init; } = AdapterPin.None;
}

/// <summary>
/// One stream of tokens that catches up: <see cref="Computed"/> follows <see cref="Length"/>. It owns its KV blocks and its references to image
/// features. Only the <see cref="Scheduler"/> changes it, except for <see cref="Append"/>, <see cref="Paused"/> and what is noted in <see cref="Guesses"/>. One thread.
/// </summary>
internal sealed class Sequence
{
    private readonly SequenceSpec _spec;
    private int[] _tokens;
    private int[] _guess = [];

    public Sequence(SequenceSpec spec, BlockAllocator allocator, KeyHasher hasher, int blockSize, object? tag = null)
    {
        _spec = spec;
        _tokens = spec.Tokens;
        Length = spec.Tokens.Length;
        Blocks = new BlockTable(allocator);
        Keys = new BlockKeyChain(hasher, spec.Scope, blockSize);
        Priority = spec.Priority;
        Tag = tag;
    }

    /// <summary>Who made the sequence; the scheduler never looks at it.</summary>
    public object? Tag { get; }

    public SequenceState State { get; set; }

    public int PromptTokens => _spec.PromptTokens;

    public int MaxTokens => _spec.MaxTokens;

    public ImageSpan[] Images => _spec.Images;

    public CacheScope Scope => _spec.Scope;

    public double Weight => _spec.Weight;

    public DateTimeOffset? Deadline => _spec.Deadline;

    public DrawKind Draw => _spec.Draw;

    public int Adapter => _spec.Adapter;

    /// <summary>The class it is served in: the requested one, or a higher one after long waiting.</summary>
    public RequestPriority Priority { get; set; }

    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, Length);

    /// <summary>Tokens known.</summary>
    public int Length { get; private set; }

    /// <summary>Tokens whose KV is in <see cref="Blocks"/>.</summary>
    public int Computed { get; set; }

    public int Pending => Length - Computed;

    public BlockTable Blocks { get; }

    public BlockKeyChain Keys { get; }

    /// <summary>What may follow <see cref="Tokens"/>, as the row of the step under way has it.</summary>
    public ReadOnlySpan<int> Guess => _guess;

    /// <summary>What became of earlier guesses.</summary>
    public GuessRecord Guesses { get; } = new();

    /// <summary>Blocks already offered to the prefix cache.</summary>
    public int CachedBlocks { get; set; }

    /// <summary>Tokens the tenant has paid for; recomputation after a preemption is not charged again.</summary>
    public int Charged { get; set; }

    /// <summary>Prompt tokens that came from the prefix cache when the sequence was first admitted; -1 before.</summary>
    public int ReusedTokens { get; set; } = -1;

    /// <summary>Its reader does not read: it keeps what it holds but is not run, and is the first to be preempted.</summary>
    public bool Paused { get; set; }

    /// <summary>Order of arrival, unique; set by the scheduler.</summary>
    public long Order { get; set; }

    /// <summary>Order of admission, unique; the later one is preempted first.</summary>
    public long Admission { get; set; }

    public DateTimeOffset WaitingSince { get; set; }

    public TenantAccount? Account { get; set; }

    public SequenceQueue? Queue { get; set; }

    public Sequence? Next { get; set; }

    public Sequence? Previous { get; set; }

    /// <summary>Guesses anew, at most so many tokens, and gives how many.</summary>
    public int GuessAhead(int most)
    {
        if (_guess.Length < most)
        {
            _guess = new int[most];
        }

        return PromptLookup.Guess(Tokens, _guess.AsSpan(0, most));
    }

    public void Append(int token)
    {
        if (Length == _tokens.Length)
        {
            Array.Resize(ref _tokens, Math.Min(Math.Max(MaxTokens, Length + 1), Length + Math.Max(64, Length / 2)));
        }

        _tokens[Length++] = token;
    }
}
