using LlavaCluster.Cli.Benchmarks.Load;

namespace LlavaCluster.Cli.Benchmarks.Ring;

/// <summary>What sums cost a ring.</summary>
/// <param name="Large">Seconds of a sum of the large vector, of every run.</param>
/// <param name="Small">Of the small one.</param>
/// <param name="BytesSentPerSum">By one member for the large vector.</param>
internal sealed record RingFigures(int Members, long Bytes, Repeated Large, Repeated Small, long BytesSentPerSum)
{
    /// <summary>Bytes of the large vector by seconds of its sum.</summary>
    public double Rate => Bytes / Large.Median;

    /// <summary>What every connection carries meanwhile, in each direction of the ring.</summary>
    public double LinkRate => BytesSentPerSum / Large.Median;
}
