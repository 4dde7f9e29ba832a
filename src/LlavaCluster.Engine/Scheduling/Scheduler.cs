using System.Diagnostics;
using LlavaCluster.Engine.Caching;

namespace LlavaCluster.Engine.Scheduling;

/// <summary>
/// Decides what each step computes. There are no prefill and decode phases: every running sequence catches up its computed tokens under one token
/// budget, in order of rank (class, then admission); what is left of the budget admits waiting ones. Images are encoded under a budget of their own. Where some answer,
/// all that is not their next token is kept to what <see cref="StepPace"/> allows.
/// Plain numbers, no tensors, no clock but the given one. One thread.
/// </summary>
internal sealed partial class Scheduler(
    EngineOptions options, BlockAllocator allocator, PrefixCache prefixes, ImageFeatureCache features, IPixelSource pixels, int encodingStages, TimeProvider time)
{
    private const int MostPrescribed = 16; // tokens of an answer that one step computes whatever else it does

    private readonly List<Sequence> _running = [];
    private readonly HashSet<CacheKey> _wanted = [];
    private readonly StepPlan _plan = new();
    private readonly DraftPolicy _drafts = new(options.MaxGuessedTokens);
    private readonly StepPace _pace = new(options.MaxStepSlowdown);
    private DateTimeOffset _earliestDeadline = DateTimeOffset.MaxValue;
    private long _arrivals;
    private long _admissions;
    private int _tokensLeft;
    private int _imageTokensLeft;
    private double _besideLeft; // tokens, or work of as much
    private bool _mayCompute; // beside answers
    private bool _roomClosed;

    public IReadOnlyList<Sequence> Running => _running;

    public WaitingRoom Waiting { get; } = new();

    /// <summary>How often a sequence gave its blocks back to others.</summary>
    public long Preemptions { get; private set; }

    /// <summary>Prompt tokens looked up in the prefix cache, and those found there.</summary>
    public long PrefixQueries { get; private set; }

    public long PrefixHits { get; private set; }

    /// <summary>Images looked up in the feature cache, and those found there.</summary>
    public long ImageQueries { get; private set; }

    public long ImageHits { get; private set; }

    /// <summary>Queues a sequence. It must be able to fit: see <see cref="Fits"/>.</summary>
    public void Add(Sequence sequence)
    {
        Debug.Assert(sequence.State == SequenceState.Detached && Fits(sequence.MaxTokens, sequence.Images));
        sequence.Order = _arrivals++;
        sequence.WaitingSince = time.GetUtcNow();
        sequence.Account = Waiting.Ledger.Open(sequence.Scope.Owner);
        Waiting.Add(sequence, first: false);
        if (sequence.Deadline < _earliestDeadline)
        {
            _earliestDeadline = sequence.Deadline.Value;
        }
    }

    /// <summary>Whether a sequence of this length with these images could ever run on an empty engine.</summary>
    public bool Fits(int maxTokens, IEnumerable<ImageSpan> images) =>
        BlocksFor(maxTokens) <= allocator.Total && images.All(i => i.Tokens <= features.BudgetTokens);

    /// <summary>Lets go of a sequence at any stage, finished or not: its blocks, image references and place in the queue are given back.</summary>
    public void Remove(Sequence sequence)
    {
        switch (sequence.State)
        {
            case SequenceState.Waiting:
                Waiting.Remove(sequence);
                break;
            case SequenceState.Running:
                StopRunning(sequence);
                break;
            default:
                return;
        }

        Waiting.Ledger.Close(sequence.Account!);
    }

    /// <summary>The next step. The plan is valid until the next call.</summary>
    public StepPlan Plan()
    {
        _plan.Clear();
        _wanted.Clear();
        _roomClosed = false;
        var now = time.GetUtcNow();
        DropExpired(now);
        Waiting.Promote(now, options.PriorityAging);
        MakeRoomForUrgent();
        _tokensLeft = options.MaxTokensPerStep;
        _imageTokensLeft = options.MaxImageTokensPerStep;
        var madeRoom = _plan.Preempted.Count;
        var answers = CountAnswers();
        _besideLeft = _pace.Beside(answers, Math.Min(options.MaxRunningSequences, _running.Count + Waiting.Count) - answers);
        _mayCompute = _besideLeft > 0;
        PlanRunning();
        GoOnEncoding();
        if (_plan.Preempted.Count == madeRoom)
        {
            Admit();
        }

        PlanGuesses();
        features.TakeDropped(_plan.DroppedSlots);
        return _plan;
    }

    /// <summary>Books a row that was computed: its tokens count, its full blocks can be found, images it has passed are given back. Guesses that were right count as tokens of the row by now.</summary>
    public void Commit(in StepRow row)
    {
        var sequence = row.Sequence;
        if (sequence.State != SequenceState.Running)
        {
            return;
        }

        sequence.Computed = row.Start + row.Count;
        Charge(sequence, sequence.Computed);
        var full = sequence.Computed / options.BlockSize;
        if (full > sequence.CachedBlocks)
        {
            var keys = sequence.Keys.First(full, sequence.Tokens, sequence.Images);
            for (var i = sequence.CachedBlocks; i < full; i++)
            {
                prefixes.Insert(keys[i], sequence.Blocks.Blocks[i], sequence.Scope.Owner);
                _computing.Remove(keys[i]);
            }

            sequence.CachedBlocks = full;
        }

        foreach (var image in sequence.Images)
        {
            if (image.Slot != ImageSpan.NoSlot && image.End <= sequence.Computed)
            {
                ReleaseImage(image);
            }
        }
    }

    /// <summary>Learns what things cost from the step that was planned last.</summary>
    /// <param name="sampled">Rows whose next token was drawn.</param>
    public void Learn(int sampled, TimeSpan elapsed)
    {
        if (_plan.ImageTokens == 0)
        {
            _drafts.Book(_plan.Tokens, _plan.Guesses, sampled, elapsed.TotalSeconds);
        }

        if (_plan.Answers > 0)
        {
            _pace.Book(_plan.Tokens - _plan.Guesses - _plan.Answers + WorkOf(_plan.ImageTokens), elapsed.TotalSeconds);
        }
    }

    private int BlocksFor(int tokens) => (tokens + options.BlockSize - 1) / options.BlockSize;

    private void DropExpired(DateTimeOffset now)
    {
        if (now < _earliestDeadline)
        {
            return;
        }

        _plan.Expired.AddRange(_running.Concat(Waiting.All()).Where(s => s.Deadline <= now));
        foreach (var sequence in _plan.Expired)
        {
            Remove(sequence);
        }

        _earliestDeadline = _running.Concat(Waiting.All()).Min(s => s.Deadline) ?? DateTimeOffset.MaxValue;
    }

    /// <summary>Every running sequence by rank. Those that answer keep one token of the budget each, so that a long prompt never stalls them.</summary>
    private void PlanRunning()
    {
        var reserved = CountAnswers();
        for (var i = 0; i < _running.Count; i++)
        {
            var sequence = _running[i];
            if (sequence.Paused || sequence.Pending == 0)
            {
                continue;
            }

            var own = AnswerTokens(sequence);
            reserved -= own > 0 ? 1 : 0;
            var count = Math.Min(sequence.Pending, Math.Min(_tokensLeft - reserved, own + TokensBeside));
            count = count > 0 ? Math.Min(LimitByImages(sequence, sequence.Computed, count), Math.Max(1, own + TokensBeside)) : 0;
            if (count > 0 && EnsureBlocks(sequence, sequence.Computed + count, ref i))
            {
                Schedule(sequence, count, own);
            }
        }
    }

    private int TokensBeside => (int)Math.Clamp(_besideLeft, 0, options.MaxTokensPerStep);

    private int CountAnswers()
    {
        var count = 0;
        foreach (var sequence in _running)
        {
            count += !sequence.Paused && AnswerTokens(sequence) > 0 ? 1 : 0;
        }

        return count;
    }

    // Its prompt is computed, or its last token is about to be: the next token is drawn, or some were prescribed. Nothing keeps the row from being computed now.
    private static int AnswerTokens(Sequence sequence)
    {
        var waits = sequence.Images is [.., var last] && last.End > sequence.Computed && last.Slot == ImageSpan.NoSlot;
        return !waits && (sequence.Pending == 1 || sequence.Computed >= sequence.PromptTokens) ? Math.Min(sequence.Pending, MostPrescribed) : 0;
    }

    /// <summary>Rows that draw a token guess what follows it, with what all others have left of the budget.</summary>
    private void PlanGuesses()
    {
        for (var i = 0; i < _plan.Rows.Count && _tokensLeft > 0; i++)
        {
            if (_plan.Rows[i] is { Samples: true, Sequence: var sequence })
            {
                var guesses = GuessAhead(sequence, Math.Min(_tokensLeft, sequence.MaxTokens - sequence.Length - 1));
                _plan.Guess(i, guesses);
                _tokensLeft -= guesses;
            }
        }
    }

    /// <summary>Guesses as far as there are places: blocks that nobody waits for, beyond the reserve, or the rest of the sequence's own last block.</summary>
    private int GuessAhead(Sequence sequence, int room)
    {
        var most = Math.Min(_drafts.Most(sequence), room);
        var count = most <= 0 ? 0 : sequence.GuessAhead(most);
        var blocks = BlocksFor(sequence.Length + count);
        var needed = blocks - sequence.Blocks.Count;
        var isFree = needed <= 0 || (Waiting.Count == 0 && needed + options.ReservedBlocks(allocator.Total) <= allocator.Available && sequence.Blocks.TryGrow(blocks));
        return isFree ? count : (sequence.Blocks.Count * options.BlockSize) - sequence.Length;
    }

    /// <summary>Preempts from the lowest rank up until there are blocks; false where the sequence itself had to go.</summary>
    private bool EnsureBlocks(Sequence sequence, int tokens, ref int index)
    {
        while (!sequence.Blocks.TryGrow(BlocksFor(tokens)))
        {
            var victim = Victim();
            var at = _running.IndexOf(victim);
            index -= at <= index ? 1 : 0;
            Preempt(victim);
            if (victim == sequence)
            {
                return false;
            }
        }

        return true;
    }

    private Sequence Victim()
    {
        for (var i = _running.Count - 1; i >= 0; i--)
        {
            if (_running[i].Paused)
            {
                return _running[i];
            }
        }

        return _running[^1];
    }

    private void Preempt(Sequence sequence)
    {
        StopRunning(sequence);
        sequence.WaitingSince = time.GetUtcNow();
        Waiting.Add(sequence, first: true);
        _plan.Preempted.Add(sequence);
        Preemptions++;
    }

    private void StopRunning(Sequence sequence)
    {
        _running.Remove(sequence);
        foreach (var image in sequence.Images)
        {
            if (image.Slot != ImageSpan.NoSlot)
            {
                ReleaseImage(image);
            }
        }

        StopComputing(sequence);
        sequence.Blocks.Clear();
        sequence.Computed = 0;
        sequence.CachedBlocks = 0;
        sequence.State = SequenceState.Detached;
    }

    /// <param name="answers">How many of the tokens may answer.</param>
    private void Schedule(Sequence sequence, int count, int answers)
    {
        answers = Math.Min(count, answers);
        _plan.Add(new StepRow(sequence, sequence.Computed, count), answers);
        _tokensLeft -= count;
        _besideLeft -= count - answers;
        Charge(sequence, sequence.Computed + count);
    }

    /// <summary>The tenant pays for tokens once, when they are scheduled; for guesses when they prove right.</summary>
    private void Charge(Sequence sequence, int upTo)
    {
        if (sequence.Charged < upTo)
        {
            var from = sequence.Charged;
            var prompt = Math.Max(0, Math.Min(upTo, sequence.PromptTokens) - from);
            var generated = upTo - from - prompt;
            TenantLedger.Charge(sequence, prompt + (generated * options.DecodeTokenCost));
            sequence.Charged = upTo;
        }
    }

    private void ReleaseImage(ImageSpan image)
    {
        features.Release(image.Slot);
        image.Slot = ImageSpan.NoSlot;
    }
}
