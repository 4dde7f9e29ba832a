namespace LlavaCluster.Training.Distributed;

/// <summary>A member that trains alone: every sum is its own.</summary>
public sealed class SoloGroup : ITrainingGroup
{
    public int Rank => 0;

    public int Size => 1;

    public long Generation => 0;

    public void Sum(Span<float> values)
    {
    }

    public void Broadcast(int from, Span<byte> values)
    {
    }

    public void Broadcast(int from, Stream state)
    {
    }

    public void AllGather(ReadOnlySpan<long> mine, Span<long> all) => mine.CopyTo(all);

    public void Barrier()
    {
    }

    public void Dispose()
    {
    }
}
