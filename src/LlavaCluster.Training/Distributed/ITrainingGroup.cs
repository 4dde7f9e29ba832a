namespace LlavaCluster.Training.Distributed;

/// <summary>
/// The members that train one model together, each with its share of the data. Every member makes the same calls in the same order, each on one thread of its own; a call
/// blocks until it has what it needs from the others. A group that breaks throws <see cref="RingBrokenException"/> from the call under way and from every later one:
/// what was being received is then undefined, and another group has to be formed.
/// </summary>
public interface ITrainingGroup : IDisposable
{
    /// <summary>This member's place, from 0 to <see cref="Size"/> - 1.</summary>
    int Rank { get; }

    int Size { get; }

    /// <summary>Adds the members' vectors, which are equally long, and leaves the sum in all of them. Bit for bit the same everywhere and every time for the same members.</summary>
    void Sum(Span<float> values);

    /// <summary>Copies a state of any length from one member to the others; who has no need of it gives <see cref="Stream.Null"/>.</summary>
    /// <param name="state">Read to its end by <paramref name="from"/>, written by everyone else; stays open.</param>
    void Broadcast(int from, Stream state);

    /// <summary>Tells everyone everyone's numbers.</summary>
    /// <param name="mine">Equally many for each member.</param>
    /// <param name="all">The members' numbers in the order of their ranks.</param>
    void AllGather(ReadOnlySpan<long> mine, Span<long> all);
}
