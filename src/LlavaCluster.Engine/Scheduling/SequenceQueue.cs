namespace LlavaCluster.Engine.Scheduling;

/// <summary>A first-in first-out queue of sequences through their own links: no allocation, removal from the middle in constant time. One thread.</summary>
internal sealed class SequenceQueue
{
    public Sequence? Head { get; private set; }

    private Sequence? Tail { get; set; }

    public void AddLast(Sequence sequence) => Insert(sequence, Tail, null);

    public void AddFirst(Sequence sequence) => Insert(sequence, null, Head);

    public void Remove(Sequence sequence)
    {
        if (sequence.Queue != this)
        {
            throw new InvalidOperationException($"Sequence {sequence.Order} is not in this queue.");
        }

        if (sequence.Previous is null)
        {
            Head = sequence.Next;
        }
        else
        {
            sequence.Previous.Next = sequence.Next;
        }

        if (sequence.Next is null)
        {
            Tail = sequence.Previous;
        }
        else
        {
            sequence.Next.Previous = sequence.Previous;
        }

        (sequence.Queue, sequence.Next, sequence.Previous) = (null, null, null);
    }

    private void Insert(Sequence sequence, Sequence? previous, Sequence? next)
    {
        if (sequence.Queue is not null)
        {
            throw new InvalidOperationException($"Sequence {sequence.Order} is already queued.");
        }

        (sequence.Queue, sequence.Previous, sequence.Next) = (this, previous, next);
        if (previous is null)
        {
            Head = sequence;
        }
        else
        {
            previous.Next = sequence;
        }

        if (next is null)
        {
            Tail = sequence;
        }
        else
        {
            next.Previous = sequence;
        }
    }
}
