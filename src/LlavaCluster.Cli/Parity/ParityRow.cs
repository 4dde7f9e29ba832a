namespace LlavaCluster.Cli.Parity;

/// <summary>One comparison of ours with the reference: the largest absolute difference found and the most that is allowed.</summary>
/// <param name="Subject">What was compared: an image, a prompt, a tensor.</param>
/// <param name="Mismatch">Set where things differ in kind (shape, ids, text), so that no number says how far.</param>
internal sealed record ParityRow(string Check, string Subject, double Difference, double Tolerance, string? Mismatch = null)
{
    public bool Holds => Mismatch is null && Difference <= Tolerance;

    /// <summary>Equality of lists; the mismatch names the first place where they part.</summary>
    public static ParityRow OfLists<T>(string check, string subject, IReadOnlyList<T> ours, IReadOnlyList<T> expected)
    {
        var shared = Math.Min(ours.Count, expected.Count);
        var at = Enumerable.Range(0, shared).FirstOrDefault(i => !EqualityComparer<T>.Default.Equals(ours[i], expected[i]), -1);
        var mismatch = at >= 0 ? $"at {at}: {ours[at]}, expected {expected[at]}"
            : ours.Count != expected.Count ? $"{ours.Count} items, expected {expected.Count}" : null;
        return new ParityRow(check, subject, 0, 0, mismatch);
    }
}
