namespace LlavaCluster.Cli.Parity;

/// <summary>
/// Largest absolute differences allowed in float32. They lie above what a float32 reference differs from a float64 one and below what the smallest
/// mistake changes (tests/goldens/README.md, "Differences seen").
/// </summary>
internal static class Tolerances
{
    public const double Exact = 0;
    public const double Pixels = 1e-6;
    public const double Vision = 2e-5;
    public const double Hidden = 5e-5;
    public const double Logits = 5e-5;
    public const double Probabilities = 1e-5;
    public const double Losses = 1e-4;
}
