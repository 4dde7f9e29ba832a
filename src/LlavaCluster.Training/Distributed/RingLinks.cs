namespace LlavaCluster.Training.Distributed;

/// <summary>
/// A member's two connections with what watches them, and the first fault that ended them. Nothing is expected from the next member but its end, for which a thread waits:
/// so a break is seen, and passed on by closing both connections, while the training thread computes.
/// </summary>
internal sealed class RingLinks : IDisposable
{
    /// <summary>What a member that leaves says to its previous, against the stream.</summary>
    private const byte Goodbye = 0x4C;

    private static readonly TimeSpan LeavingTime = TimeSpan.FromSeconds(1);

    private readonly RingConnection _next;
    private readonly RingConnection _previous;
    private readonly Thread _watch;
    private readonly CancellationTokenSource _broken = new();
    private RingBrokenException? _break;
    private volatile bool _leaving;

    public RingLinks(RingMembership member, RingConnection next, RingConnection previous, TimeSpan time)
    {
        (_next, _previous) = (next, previous);
        Writer = new FrameWriter(next, member.Generation);
        Reader = new FrameReader(previous, member.Generation);
        Sender = new SumSender(Writer, time, fault => End(fault));
        _watch = new Thread(Watch) { IsBackground = true, Name = "ring watch" };
        _watch.Start();
    }

    public FrameWriter Writer { get; }

    public FrameReader Reader { get; }

    public SumSender Sender { get; }

    public CancellationToken Broken => _broken.Token;

    public void ThrowIfBroken()
    {
        if (Volatile.Read(ref _break) is not null)
        {
            throw Again();
        }
    }

    /// <summary>Ends the group unless it has ended; any thread. Returns what the caller is to throw: the first fault, whichever the caller saw.</summary>
    public RingBrokenException End(RingBrokenException fault)
    {
        Interlocked.CompareExchange(ref _break, fault, null);
        _next.Shutdown();
        _previous.Shutdown();
        Sender.Cancel();
        _ = _broken.CancelAsync(); // what others do about it is not for this thread to run, nor to fail of
        return Again();
    }

    public void Dispose()
    {
        _leaving = true;
        if (Volatile.Read(ref _break) is null)
        {
            SayGoodbye();
        }

        _next.Shutdown();
        _previous.Shutdown();
        Sender.Dispose();
        _watch.Join();
        _next.Dispose();
        _previous.Dispose();
    }

    private RingBrokenException Again() => new(_break!.Peer, _break.Fault, _break.Message, _break);

    private void SayGoodbye()
    {
        try
        {
            Writer.Write(FrameType.Leave, 0, [], LeavingTime);
            _previous.LimitWrites(LeavingTime);
            _previous.Write([Goodbye]);
        }
        catch (RingBrokenException)
        {
            // Nobody is there to hear it.
        }
    }

    private void Watch()
    {
        Span<byte> word = stackalloc byte[1];
        try
        {
            _next.Read(word);
            if (word[0] != Goodbye)
            {
                End(new RingBrokenException(_next.Peer, RingFault.Mismatched, $"Rank {_next.Peer} answered byte {word[0]} where nothing is answered."));
            }
        }
        catch (RingBrokenException fault)
        {
            if (!_leaving)
            {
                End(fault);
            }
        }
    }
}
