namespace LlavaCluster.Model.Kernels.Decoding;

/// <summary>What a decoder that picks tokens by itself must not pick. Ids are rows of the model's output.</summary>
/// <param name="Reserved">Never picked.</param>
/// <param name="Ends">Not picked where <see cref="PickedRow.SkipsEnds"/> and anything else is left.</param>
public sealed record TokenBans(IReadOnlyList<int> Reserved, IReadOnlyList<int> Ends)
{
    public static TokenBans None { get; } = new([], []);
}
