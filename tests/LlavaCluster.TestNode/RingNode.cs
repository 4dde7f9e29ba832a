using System.Globalization;
using System.Net;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using LlavaCluster.Training.Distributed;

namespace LlavaCluster.TestNode;

/// <summary>A member of a ring that sums vectors of its rank, prints a digest of the sums, and goes on summing until the ring breaks: RANK ROUNDS FLOATS TIMEOUT-MILLISECONDS PORT...</summary>
internal static class RingNode
{
    private static readonly TimeSpan JoiningTime = TimeSpan.FromSeconds(60);

    public static async Task RunAsync(string[] args)
    {
        var numbers = args.Select(argument => int.Parse(argument, CultureInfo.InvariantCulture)).ToArray();
        var (rank, rounds, floats) = (numbers[0], numbers[1], numbers[2]);
        IPEndPoint[] members = [.. numbers[4..].Select(port => new IPEndPoint(IPAddress.Loopback, port))];
        await using var listener = RingListener.Start(members[rank], new RingOptions { OperationTimeout = TimeSpan.FromMilliseconds(numbers[3]) });
        var membership = new RingMembership { Group = "test", Generation = 1, Rank = rank, Members = members, Secret = new byte[32] };
        using var group = await RingGroup.JoinAsync(listener, membership, JoiningTime, CancellationToken.None);
        var random = new Random(rank);
        var (values, digest) = (new float[floats], SHA256.HashData([]));
        try
        {
            for (var round = 0; ; round++)
            {
                foreach (ref var value in values.AsSpan())
                {
                    value = random.NextSingle() - 0.5f;
                }

                group.Sum(values);
                digest = SHA256.HashData((byte[])[.. digest, .. MemoryMarshal.AsBytes(values.AsSpan())]);
                if (round == rounds)
                {
                    Console.WriteLine($"digest {Convert.ToHexString(digest)}");
                }
            }
        }
        catch (RingBrokenException broken)
        {
            Console.WriteLine($"broken {broken.Fault} rank {broken.Peer}");
        }
    }
}
