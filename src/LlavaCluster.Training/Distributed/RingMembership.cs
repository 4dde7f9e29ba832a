using System.Net;

namespace LlavaCluster.Training.Distributed;

/// <summary>What a coordinator tells a member of a group: the same to all but for the rank.</summary>
public sealed record RingMembership
{
    private const int LeastSecretBytes = 16;
    private const int MostMembers = 1024;

    /// <summary>Names the job.</summary>
    public required string Group { get; init; }

    /// <summary>Another for every forming of the group, also after one that failed.</summary>
    public required long Generation { get; init; }

    public required int Rank { get; init; }

    /// <summary>Where the members' listeners are, in the order of their ranks.</summary>
    public required IReadOnlyList<IPEndPoint> Members { get; init; }

    /// <summary>Known to the members only; at least 16 random bytes, best new ones for each generation.</summary>
    public required ReadOnlyMemory<byte> Secret { get; init; }

    internal int Size => Members.Count;

    internal int Next => (Rank + 1) % Size;

    internal int Previous => (Rank + Size - 1) % Size;

    internal void Validate()
    {
        if (Size is < 1 or > MostMembers)
        {
            throw new ArgumentOutOfRangeException(nameof(Members), $"{nameof(Members)} must be from 1 to {MostMembers}; there were {Size}.");
        }

        if (Rank < 0 || Rank >= Size)
        {
            throw new ArgumentOutOfRangeException(nameof(Rank), $"{nameof(Rank)} must be from 0 to {Size - 1}; was {Rank}.");
        }

        if (Secret.Length < LeastSecretBytes)
        {
            throw new ArgumentException($"{nameof(Secret)} must have at least {LeastSecretBytes} bytes; had {Secret.Length}.");
        }
    }
}
