using System.Globalization;

namespace LlavaCluster.Cli.Benchmarks.Load;

/// <summary>How much is asked at once: a number of chats that are always under way, or chats that begin as a Poisson process.</summary>
internal abstract record LoadLevel
{
    private LoadLevel()
    {
    }

    /// <summary>On the plot's axis.</summary>
    public abstract double Size { get; }

    /// <param name="Chats">Under way at once; the next begins when one ends.</param>
    public sealed record Closed(int Chats) : LoadLevel
    {
        public override double Size => Chats;

        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Chats} at once");
    }

    /// <param name="Rate">Chats that begin in a second, on average, whatever the server has finished.</param>
    public sealed record Poisson(double Rate) : LoadLevel
    {
        public override double Size => Rate;

        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Rate:0.###} a second");
    }
}
