namespace LlavaCluster.Engine.Sampling;

/// <summary>One broken rule of a request's sampling options, in the names of the public API.</summary>
/// <param name="Field">The field, for example <c>top_p</c> or <c>stop[2]</c>.</param>
/// <param name="Bound">What it must be, for example <c>&lt;= 2048</c>.</param>
/// <param name="Value">What it was.</param>
public sealed record SamplingViolation(string Field, string Bound, string Value)
{
    public string Message => $"{Field} must be {Bound}; was {Value}.";
}
