using LlavaCluster.Engine.Caching;

namespace LlavaCluster.Engine.Scheduling;

/// <summary>A run of one sequence's tokens to compute: positions Start..Start+Count-1, and after them as many guesses of what may follow.</summary>
internal readonly record struct StepRow(Sequence Sequence, int Start, int Count, int Guesses = 0)
{
    /// <summary>The row reaches the end of what is known, so that its last known position predicts the next token.</summary>
    public bool Samples => Start + Count == Sequence.Length;

    /// <summary>Positions whose next token is asked for: the last known one and every guess.</summary>
    public int Sampled => Samples ? 1 + Guesses : 0;

    /// <summary>Tokens to compute.</summary>
    public int Tokens => Count + Guesses;
}

/// <summary>Features to compute into a slot before any row runs.</summary>
internal readonly record struct ImageEncode(CacheKey Key, int Slot, int Tokens);

/// <summary>Stages First..First+Count-1 of an image's encoding, of so many in all.</summary>
internal readonly record struct ImagePart(ImageEncode Image, int First, int Count, int Stages)
{
    /// <summary>The features are there afterwards.</summary>
    public bool IsLast => First + Count == Stages;
}

/// <summary>
/// What one step does, in this order: free the dropped slots, go on with an image, encode images, run the rows as one packed batch. The scheduler owns it and
/// fills it anew each step.
/// </summary>
internal sealed class StepPlan
{
    public List<StepRow> Rows { get; } = [];

    public List<ImageEncode> Encodes { get; } = [];

    /// <summary>The image that is encoded over several steps.</summary>
    public ImagePart? Part { get; private set; }

    /// <summary>Image slots whose device memory is free from now on; a slot may be reused by <see cref="Encodes"/> of the same plan.</summary>
    public List<int> DroppedSlots { get; } = [];

    /// <summary>Images that a sequence would read next: those of <see cref="Encodes"/>, those that wait for room, and those whose pixels have to be fetched.</summary>
    public List<CacheKey> WantedPixels { get; } = [];

    /// <summary>Sequences past their deadline; the scheduler has let go of them.</summary>
    public List<Sequence> Expired { get; } = [];

    /// <summary>Sequences that gave their blocks back this step and wait again.</summary>
    public List<Sequence> Preempted { get; } = [];

    /// <summary>Sum of the rows' tokens.</summary>
    public int Tokens { get; private set; }

    /// <summary>Guesses among <see cref="Tokens"/>.</summary>
    public int Guesses { get; private set; }

    /// <summary>Sum of the encodes' tokens, and of the part's by its share of the stages.</summary>
    public int ImageTokens { get; private set; }

    /// <summary>Tokens among <see cref="Tokens"/> that answer; the others are of prompts, or guesses.</summary>
    public int Answers { get; private set; }

    public bool HasWork => Rows.Count > 0 || Encodes.Count > 0 || Part is not null;

    /// <param name="answers">How many of its tokens answer.</param>
    public void Add(StepRow row, int answers)
    {
        Rows.Add(row);
        Tokens += row.Count;
        Answers += answers;
    }

    /// <summary>Lets a row of the plan compute so many guesses too.</summary>
    public void Guess(int row, int count)
    {
        Rows[row] = Rows[row] with { Guesses = count };
        Tokens += count;
        Guesses += count;
    }

    public void Add(ImageEncode encode)
    {
        Encodes.Add(encode);
        ImageTokens += encode.Tokens;
    }

    public void Add(ImagePart part)
    {
        Part = part;
        ImageTokens += ((part.Image.Tokens * part.Count) + part.Stages - 1) / part.Stages; // never nothing: a step with a part is none that only answers
    }

    public void Clear()
    {
        Rows.Clear();
        Encodes.Clear();
        Part = null;
        DroppedSlots.Clear();
        WantedPixels.Clear();
        Expired.Clear();
        Preempted.Clear();
        (Tokens, Guesses, ImageTokens, Answers) = (0, 0, 0, 0);
    }
}
