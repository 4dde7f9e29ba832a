namespace LlavaCluster.Training.Distributed;

/// <summary>
/// How a vector goes round the ring. It is cut into one segment a member. In turn t of 2n - 2, rank r sends segment r - t and receives segment r - t - 1, modulo n:
/// in the first n - 1 turns partial sums, to which the receiver adds its own, then whole sums, which it keeps. So segment g is ((v_g + v_g+1) + v_g+2) + ..., indices
/// of ranks modulo n, computed in one place and copied everywhere (ring all-reduce; Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms for clusters of
/// workstations", 2009). Segments travel in chunks of one frame, each sent on as soon as it was received.
/// </summary>
internal readonly record struct SumPlan(int Length, int Size)
{
    /// <summary>Floats of a chunk.</summary>
    public const int Chunk = FrameHeader.MostPayload / sizeof(float);

    private const int Line = 16; // floats of a cache line, which no two segments share

    public int Turns => 2 * (Size - 1);

    /// <summary>Turns in which the received is added.</summary>
    public int AddingTurns => Size - 1;

    /// <summary>Start and end in floats; the last segments of a short vector are empty.</summary>
    /// <param name="segment">Any whole number, modulo n.</param>
    public (int Start, int End) Segment(int segment)
    {
        var index = ((segment % Size) + Size) % Size;
        var each = (((Length - 1) / Size / Line) + 1) * (long)Line;
        return ((int)Math.Min(index * each, Length), (int)Math.Min((index + 1) * each, Length));
    }

}
