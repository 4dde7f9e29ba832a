namespace LlavaCluster.Engine.Constraints;

/// <summary>A constraint ready for use, or the reason why it is refused.</summary>
internal abstract record ConstraintCompilation
{
    private ConstraintCompilation()
    {
    }

    public sealed record Ready(CompiledConstraint Constraint) : ConstraintCompilation;

    /// <param name="Field">The kind of constraint, as the public contract names its field.</param>
    /// <param name="Message">For the client: names the place and the rule.</param>
    public sealed record Refused(string Field, string Message) : ConstraintCompilation;
}
