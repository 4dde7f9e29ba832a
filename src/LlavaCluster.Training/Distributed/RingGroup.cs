using System.Runtime.InteropServices;

namespace LlavaCluster.Training.Distributed;

/// <summary>
/// Members in a ring over TCP: each sends to its next and receives from its previous (<see cref="SumPlan"/> shows how a sum travels). Calls come from one thread;
/// <see cref="Abort"/> and the properties from any. A member that sees the ring break closes both its connections, busy or not, so that the break goes round at once;
/// where no connection breaks, the time of <see cref="RingOptions.OperationTimeout"/> finds it. A group that is alone has no connections.
/// </summary>
public sealed class RingGroup : ITrainingGroup
{
    /// <summary>Vectors up to here are sent by the training thread itself: they fit into a connection's buffers, and waking another thread takes longer.</summary>
    private const int SentInline = 16 << 10;

    private const int MostNumbers = 512;

    private readonly byte[] _received = GC.AllocateUninitializedArray<byte>(FrameHeader.MostPayload);
    private readonly RingMembership _member;
    private readonly RingLinks? _links;
    private TimeSpan _time;
    private bool _disposed;

    private RingGroup(RingMembership member, RingLinks? links, TimeSpan time) => (_member, _links, _time) = (member, links, time);

    public int Rank => _member.Rank;

    public int Size => _member.Size;

    /// <summary>By this member so far, headers included and TLS not.</summary>
    public long BytesSent => _links?.Writer.BytesSent ?? 0;

    /// <summary>Cancelled when the group breaks: a member that computes for long can spare itself the rest.</summary>
    public CancellationToken Broken => _links?.Broken ?? CancellationToken.None;

    /// <summary>Forms a group; returns when all members are in it.</summary>
    /// <param name="listener">This member's, at its place of <see cref="RingMembership.Members"/>; it may serve other groups besides.</param>
    /// <param name="deadline">For all members to come, however late each was told.</param>
    /// <exception cref="RingBrokenException">Some member did not come in time, or was lost while the ring formed; try again with the next generation.</exception>
    public static async Task<RingGroup> JoinAsync(RingListener listener, RingMembership membership, TimeSpan deadline, CancellationToken cancellationToken)
    {
        membership.Validate();
        if (membership.Size == 1)
        {
            return new RingGroup(membership, null, listener.Options.OperationTimeout);
        }

        var until = Environment.TickCount64 + (long)deadline.TotalMilliseconds;
        var (next, previous) = await RingFormation.ConnectAsync(listener, membership, deadline, cancellationToken).ConfigureAwait(false);
        var group = new RingGroup(membership, new RingLinks(membership, next, previous, listener.Options.OperationTimeout), TimeSpan.FromMilliseconds(Math.Max(1, until - Environment.TickCount64)));
        try
        {
            await using var _ = cancellationToken.Register(() => group.Abort("The joining was given up."));
            await Task.Run(group.Barrier, CancellationToken.None).ConfigureAwait(false); // its neighbours are there, others may not be
            group._time = listener.Options.OperationTimeout;
            return group;
        }
        catch
        {
            group.Dispose();
            cancellationToken.ThrowIfCancellationRequested();
            throw;
        }
    }

    /// <inheritdoc/>
    /// <remarks>Allocates nothing. Sends and receives 2 (n - 1) / n of the vector.</remarks>
    public unsafe void Sum(Span<float> values)
    {
        if (Enter() is not { } links || values.IsEmpty)
        {
            return;
        }

        var plan = new SumPlan(values.Length, Size);
        var sender = values.Length * (long)sizeof(float) > SentInline ? links.Sender : null;
        fixed (float* start = values)
        {
            sender?.Begin(start, plan, Rank);
            try
            {
                Circulate(links, values, plan, sender);
            }
            catch (RingBrokenException fault)
            {
                throw links.End(fault);
            }
            finally
            {
                sender?.Finish(); // the vector may not move before
            }
        }

        links.ThrowIfBroken();
    }

    /// <inheritdoc/>
    /// <remarks>A fault of the caller's own stream ends the group and is thrown as it is.</remarks>
    public void Broadcast(int from, Stream state)
    {
        CheckRank(from);
        if (Enter() is not { } links)
        {
            return;
        }

        try
        {
            var distance = Distance(from);
            int count;
            var passed = 0L;
            do
            {
                count = distance == 0 ? state.ReadAtLeast(_received, _received.Length, throwOnEndOfStream: false) : links.Reader.Read(FrameType.State, passed, _received, _time);
                if (distance < Size - 1)
                {
                    links.Writer.Write(FrameType.State, passed, _received.AsSpan(0, count), _time);
                }

                if (distance > 0)
                {
                    state.Write(_received.AsSpan(0, count));
                }

                passed += count;
            }
            while (count > 0); // an empty frame is the end
        }
        catch (RingBrokenException fault)
        {
            throw links.End(fault);
        }
        catch (Exception fault)
        {
            Abort($"The stream of the state failed: {fault.Message}");
            throw;
        }
    }

    public void AllGather(ReadOnlySpan<long> mine, Span<long> all)
    {
        if (mine.Length is < 1 or > MostNumbers || all.Length != mine.Length * Size)
        {
            throw new ArgumentException($"A member gives from 1 to {MostNumbers} numbers and gets {Size} times as many; gave {mine.Length} and has room for {all.Length}.");
        }

        var links = Enter();
        mine.CopyTo(all[(Rank * mine.Length)..]);
        if (links is not null)
        {
            PassRound(links, FrameType.Numbers, MemoryMarshal.AsBytes(all), mine.Length * sizeof(long));
        }
    }

    /// <summary>Returns when every member has called it.</summary>
    public void Barrier()
    {
        if (Enter() is { } links)
        {
            PassRound(links, FrameType.Barrier, [], 0);
        }
    }

    /// <summary>Ends the group for all its members: whoever is in a call gets <see cref="RingBrokenException"/>. Any thread; without effect on a group that has ended.</summary>
    public void Abort(string reason) => _links?.End(new RingBrokenException(Rank, RingFault.Aborted, reason));

    /// <summary>Leaves: the others can complete the calls that this member has completed, and no more. Not while a call is under way.</summary>
    public void Dispose()
    {
        _disposed = true;
        _links?.Dispose();
    }

    private void Circulate(RingLinks links, Span<float> values, SumPlan plan, SumSender? sender)
    {
        var (ownStart, ownEnd) = plan.Segment(Rank);
        for (var at = ownStart; at < ownEnd; at += SumPlan.Chunk)
        {
            Forward(links, values[at..Math.Min(at + SumPlan.Chunk, ownEnd)], plan, sender);
        }

        var received = MemoryMarshal.Cast<byte, float>(_received.AsSpan());
        for (var turn = 0; turn < plan.Turns; turn++)
        {
            var (start, end) = plan.Segment(Rank - turn - 1);
            for (var at = start; at < end; at += SumPlan.Chunk)
            {
                var chunk = values[at..Math.Min(at + SumPlan.Chunk, end)];
                if (turn < plan.AddingTurns)
                {
                    var partial = received[..chunk.Length];
                    links.Reader.ReadExactly(FrameType.Sum, plan.Length, MemoryMarshal.AsBytes(partial), _time);
                    VectorSums.Add(chunk, partial);
                }
                else
                {
                    links.Reader.ReadExactly(FrameType.Sum, plan.Length, MemoryMarshal.AsBytes(chunk), _time);
                }

                if (turn < plan.Turns - 1)
                {
                    Forward(links, chunk, plan, sender);
                }
            }
        }
    }

    private void Forward(RingLinks links, ReadOnlySpan<float> chunk, SumPlan plan, SumSender? sender)
    {
        if (sender is null)
        {
            links.Writer.Write(FrameType.Sum, plan.Length, MemoryMarshal.AsBytes(chunk), _time);
        }
        else
        {
            sender.Allow(1);
        }
    }

    /// <summary>Each block goes once round, from the member whose it is.</summary>
    private void PassRound(RingLinks links, FrameType type, Span<byte> blocks, int blockBytes)
    {
        try
        {
            for (var turn = 0; turn < Size - 1; turn++)
            {
                links.Writer.Write(type, blockBytes, Block(blocks, Rank - turn), _time);
                links.Reader.ReadExactly(type, blockBytes, Block(blocks, Rank - turn - 1), _time);
            }
        }
        catch (RingBrokenException fault)
        {
            throw links.End(fault);
        }

        Span<byte> Block(Span<byte> all, int index) => all.Slice((index + Size) % Size * blockBytes, blockBytes);
    }

    /// <summary>How many members the sender's bytes pass before this one.</summary>
    private int Distance(int from) => (Rank - from + Size) % Size;

    private RingLinks? Enter()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _links?.ThrowIfBroken();
        return _links;
    }

    private void CheckRank(int from)
    {
        if (from < 0 || from >= Size)
        {
            throw new ArgumentOutOfRangeException(nameof(from), $"from must be from 0 to {Size - 1}; was {from}.");
        }
    }
}
