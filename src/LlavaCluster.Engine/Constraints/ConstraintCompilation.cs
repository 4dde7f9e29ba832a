namespace LlavaCluster.Engine.Constraints;

/// <summary>A constraint ready for use, or the reason why it is refused.</summary>
internal abstract record ConstraintCompilation
{
    private ConstraintCompilation()
    {
    }

    public sealed record Ready(CompiledConstraint Constraint) : ConstraintCompilation;

    /// <param name="Message">For the client: names the place and the rule.</param>
    public sealed record Refused(string Message) : ConstraintCompilation;
}
