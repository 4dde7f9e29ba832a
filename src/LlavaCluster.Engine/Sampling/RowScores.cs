using LlavaCluster.Model.Kernels.Decoding;

namespace LlavaCluster.Engine.Sampling;

/// <summary>What came from the device about one next token: its row of logits, or what was picked from them there. Valid until the next step.</summary>
internal readonly ref struct RowScores
{
    private readonly int _pick;

    private RowScores(ReadOnlySpan<float> logits, int pick)
    {
        Logits = logits;
        _pick = pick;
    }

    /// <summary>[vocabulary]; empty where the device picked.</summary>
    public ReadOnlySpan<float> Logits { get; }

    /// <summary>What the device picked; null where the row is here.</summary>
    public SampledToken? Pick => !Logits.IsEmpty ? null : _pick switch
    {
        PickedRow.NotFinite => new SampledToken(SampleStatus.NotFinite, 0, float.NaN, 0),
        PickedRow.NothingAllowed => new SampledToken(SampleStatus.NothingAllowed, 0, float.NaN, 0),
        _ => new SampledToken(SampleStatus.Drawn, _pick, float.NaN, 0),
    };

    public static RowScores Row(ReadOnlySpan<float> logits) => new(logits, 0);

    /// <param name="pick">An id, or a number of <see cref="PickedRow"/>.</param>
    public static RowScores Picked(int pick) => new([], pick);
}
