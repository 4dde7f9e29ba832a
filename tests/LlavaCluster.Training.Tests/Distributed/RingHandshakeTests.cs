using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using LlavaCluster.Training.Distributed;

namespace LlavaCluster.Training.Tests.Distributed;

/// <summary>Who gets into a ring, and that those who do not disturb nobody.</summary>
public sealed class RingHandshakeTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(400);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("secret")]
    [InlineData("group")]
    [InlineData("generation")]
    [InlineData("rank")]
    [InlineData("size")]
    public async Task MemberThatIsToldOtherwise_IsNotAdmitted(string difference)
    {
        await using var first = TestRing.Listen();
        await using var second = TestRing.Listen();
        IPEndPoint[] places = [first.EndPoint, second.EndPoint];
        var right = TestRing.Member(places, 0);
        var wrong = difference switch
        {
            "secret" => TestRing.Member(places, 1) with { Secret = RandomNumberGenerator.GetBytes(32) },
            "group" => TestRing.Member(places, 1) with { Group = "acme/other" },
            "generation" => TestRing.Member(places, 1, generation: 0),
            "rank" => TestRing.Member(places, 0),
            _ => TestRing.Member([.. places, first.EndPoint], 2),
        };

        var broken = await Assert.ThrowsAsync<RingBrokenException>(async () => await Task.WhenAll(
            RingGroup.JoinAsync(first, right, Soon, Stop), RingGroup.JoinAsync(second, wrong, Soon, Stop)));

        Assert.Equal(RingFault.Unformed, broken.Fault);
        Assert.True(first.Refused + second.Refused > 0);
    }

    [Fact]
    public async Task WrongSecret_IsNamed()
    {
        await using var first = TestRing.Listen();
        await using var second = TestRing.Listen();
        IPEndPoint[] places = [first.EndPoint, second.EndPoint];

        var joins = new[] { TestRing.Secret, RandomNumberGenerator.GetBytes(32) }.Zip([first, second]).Select((side, rank) =>
            RingGroup.JoinAsync(side.Second, TestRing.Member(places, rank) with { Secret = side.First }, Soon, Stop)).ToArray();

        foreach (var join in joins)
        {
            Assert.Contains("does not know the group's secret", (await Assert.ThrowsAsync<RingBrokenException>(() => join)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task MemberThatDoesNotCome_IsNamed()
    {
        await using var first = TestRing.Listen();
        await using var second = TestRing.Listen();

        var broken = await Assert.ThrowsAsync<RingBrokenException>(() => RingGroup.JoinAsync(first, TestRing.Member([first.EndPoint, second.EndPoint], 0), Soon, Stop));

        Assert.Equal((1, RingFault.Unformed), (broken.Peer, broken.Fault));
        Assert.StartsWith($"Rank 1 at {second.EndPoint} did not admit us within 0.4 s: ", broken.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task JoinThatIsCancelled_Ends()
    {
        await using var first = TestRing.Listen();
        await using var second = TestRing.Listen();
        using var stop = new CancellationTokenSource();
        var join = RingGroup.JoinAsync(first, TestRing.Member([first.EndPoint, second.EndPoint], 0), TestRing.Deadline, stop.Token);

        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => join);
    }

    [Fact]
    public async Task MemberThatComesLate_IsWaitedFor()
    {
        await using var first = TestRing.Listen();
        await using var second = TestRing.Listen();
        IPEndPoint[] places = [first.EndPoint, second.EndPoint];
        var early = RingGroup.JoinAsync(first, TestRing.Member(places, 0), TestRing.Deadline, Stop);
        await WaitForRefusalAsync(second);

        using var late = await RingGroup.JoinAsync(second, TestRing.Member(places, 1), TestRing.Deadline, Stop);

        using var group = await early;
        Assert.Equal(2, group.Size);
    }

    [Fact]
    public async Task Strangers_WhileARingFormsAndRuns_DisturbNobody()
    {
        var options = new RingOptions { OperationTimeout = TestRing.Deadline, MostPending = 4 };
        await using var first = TestRing.Listen(options);
        await using var second = TestRing.Listen(options);
        IPEndPoint[] places = [first.EndPoint, second.EndPoint];
        using var mute = await ConnectAllAsync(first.EndPoint, 3 * options.MostPending);
        await SendJunkAsync(first.EndPoint, 10);

        var groups = await Task.WhenAll(new[] { first, second }.Select((listener, rank) => RingGroup.JoinAsync(listener, TestRing.Member(places, rank), TestRing.Deadline, Stop)));
        var sums = groups.Select(_ => new float[300_000]).ToArray();
        var summing = Task.WhenAll(groups.Select(group => TestRing.OnThread(() =>
        {
            for (var round = 0; round < 20; round++)
            {
                sums[group.Rank].AsSpan().Fill(group.Rank + 1);
                group.Sum(sums[group.Rank]);
            }
        })));
        await SendJunkAsync(first.EndPoint, 10);
        await SendJunkAsync(second.EndPoint, 10);
        await summing;

        Assert.All(sums, sum => Assert.All(sum, value => Assert.Equal(3, value)));
        Assert.True(first.Refused >= 20);
        Array.ForEach(groups, group => group.Dispose());
    }

    [Fact]
    public async Task HandshakeOfAnEarlierForming_IsNotAdmittedAgain()
    {
        await using var listener = TestRing.Listen();
        var member = TestRing.Member([listener.EndPoint, listener.EndPoint], 1);
        var previous = member with { Rank = 0 };
        var recorded = new Recording();
        using (listener.Expect(member))
        {
            await using var stream = await ConnectAsync(listener.EndPoint);
            recorded.Inner = stream;
            await RingHandshake.IntroduceAsync(recorded, previous, Stop);
        }

        // The same group and generation is awaited once more; only the acceptor's nonce is new.
        using var again = listener.Expect(member);
        await using var replay = await ConnectAsync(listener.EndPoint);
        await replay.WriteAsync(recorded.Sent.ToArray(), Stop);

        Assert.Equal(RingHello.NonceBytes + 32, await ReadToEndAsync(replay)); // the challenge, and no admission
        Assert.False(again.Arrived.IsCompleted);
    }

    [Fact]
    public async Task ConnectionThatSaysNothing_IsDroppedInTime()
    {
        await using var listener = TestRing.Listen(new RingOptions { HandshakeTimeout = TimeSpan.FromMilliseconds(50) });
        await using var stream = await ConnectAsync(listener.EndPoint);

        Assert.Equal(0, await ReadToEndAsync(stream));
    }

    [Theory]
    [InlineData(2, 2, 16, "Rank must be from 0 to 1; was 2.")]
    [InlineData(0, 0, 16, "Members must be from 1 to 1024; there were 0.")]
    [InlineData(2, 0, 15, "Secret must have at least 16 bytes; had 15.")]
    public async Task BadMembership_NamesTheBoundAndTheValue(int members, int rank, int secret, string message)
    {
        await using var listener = TestRing.Listen();
        var membership = TestRing.Member([.. Enumerable.Repeat(listener.EndPoint, members)], rank) with { Secret = new byte[secret] };

        var refused = await Assert.ThrowsAnyAsync<ArgumentException>(() => RingGroup.JoinAsync(listener, membership, Soon, Stop));

        Assert.StartsWith(message, refused.Message, StringComparison.Ordinal);
    }

    private static async Task WaitForRefusalAsync(RingListener listener)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        deadline.CancelAfter(TestRing.Deadline);
        while (listener.Refused == 0)
        {
            deadline.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    private static async Task<NetworkStream> ConnectAsync(IPEndPoint place)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(place, Stop);
        return new NetworkStream(socket, ownsSocket: true);
    }

    private static async Task<Crowd> ConnectAllAsync(IPEndPoint place, int count)
    {
        var crowd = new Crowd();
        for (var i = 0; i < count; i++)
        {
            crowd.Add(await ConnectAsync(place));
        }

        return crowd;
    }

    private static async Task SendJunkAsync(IPEndPoint place, int count)
    {
        for (var i = 0; i < count; i++)
        {
            await using var stream = await ConnectAsync(place);
            await stream.WriteAsync(RandomNumberGenerator.GetBytes(RingHello.Bytes), Stop);
            Assert.Equal(0, await ReadToEndAsync(stream));
        }
    }

    private static async Task<int> ReadToEndAsync(Stream stream)
    {
        var all = new MemoryStream();
        try
        {
            await stream.CopyToAsync(all, Stop);
        }
        catch (IOException)
        {
            // A reset is an end too.
        }

        return (int)all.Length;
    }

    private sealed class Crowd : List<NetworkStream>, IDisposable
    {
        public void Dispose() => ForEach(stream => stream.Dispose());
    }

    /// <summary>Keeps what is written.</summary>
    private sealed class Recording : MemoryStream
    {
        public Stream Inner { get; set; } = Null;

        public List<byte> Sent { get; } = [];

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Sent.AddRange(buffer.Span);
            return Inner.WriteAsync(buffer, cancellationToken);
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => Inner.ReadAsync(buffer, cancellationToken);
    }
}
