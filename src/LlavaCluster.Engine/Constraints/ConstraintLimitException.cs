namespace LlavaCluster.Engine.Constraints;

/// <summary>A compiled constraint turned out to cost more than <see cref="ConstraintLimits"/> while in use. The request fails, and no other.</summary>
internal sealed class ConstraintLimitException(string message) : Exception(message);
