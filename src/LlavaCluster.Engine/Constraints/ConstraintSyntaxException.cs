namespace LlavaCluster.Engine.Constraints;

/// <summary>Leaves a parser with the reason why a constraint is refused. Never passes <see cref="ConstraintCompiler"/>.</summary>
internal sealed class ConstraintSyntaxException(string message) : Exception(message);
