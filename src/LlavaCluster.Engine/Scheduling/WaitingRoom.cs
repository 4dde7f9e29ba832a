namespace LlavaCluster.Engine.Scheduling;

/// <summary>
/// The sequences that wait, in the order in which they should be tried: class, then the tenant with the least virtual counter, then arrival.
/// A scan may pass a sequence over and take a later one. One thread.
/// </summary>
internal sealed class WaitingRoom
{
    public TenantLedger Ledger { get; } = new();

    public int Count { get; private set; }

    /// <summary>Tokens that the waiting sequences still have to compute, before any cache hit.</summary>
    public long Tokens { get; private set; }

    public void Add(Sequence sequence, bool first)
    {
        var account = sequence.Account!;
        Ledger.Enqueue(account);
        var queue = account.Queue(sequence.Priority);
        if (first)
        {
            queue.AddFirst(sequence);
        }
        else
        {
            queue.AddLast(sequence);
        }

        sequence.State = SequenceState.Waiting;
        Count++;
        Tokens += sequence.Length;
    }

    public void Remove(Sequence sequence)
    {
        sequence.Queue!.Remove(sequence);
        Ledger.Dequeue(sequence.Account!);
        sequence.State = SequenceState.Detached;
        Count--;
        Tokens -= sequence.Length;
    }

    /// <summary>Moves what has waited longer than <paramref name="aging"/> up one class.</summary>
    public void Promote(DateTimeOffset now, TimeSpan aging)
    {
        foreach (var account in Ledger.Waiting)
        {
            for (var priority = RequestPriority.Normal; priority <= RequestPriority.Background; priority++)
            {
                // Not the head alone: one that was preempted stands before others that have waited longer.
                for (var waiting = account.Queue(priority).Head; waiting is not null;)
                {
                    var next = waiting.Next;
                    if (now - waiting.WaitingSince >= aging)
                    {
                        account.Queue(priority).Remove(waiting);
                        waiting.Priority = priority - 1;
                        waiting.WaitingSince = now;
                        account.Queue(waiting.Priority).AddLast(waiting);
                    }

                    waiting = next;
                }
            }
        }
    }

    public void BeginScan()
    {
        foreach (var account in Ledger.Waiting)
        {
            for (var i = 0; i < TenantAccount.Classes; i++)
            {
                account.Cursor[i] = account.Queue((RequestPriority)i).Head;
            }
        }
    }

    /// <summary>The next candidate of this scan, or null. The candidate stays queued unless it is removed.</summary>
    public Sequence? Next()
    {
        for (var i = 0; i < TenantAccount.Classes; i++)
        {
            TenantAccount? best = null;
            foreach (var account in Ledger.Waiting)
            {
                if (account.Cursor[i] is { } candidate && (best is null || Precedes(account, candidate, best, best.Cursor[i]!)))
                {
                    best = account;
                }
            }

            if (best?.Cursor[i] is { } next)
            {
                best.Cursor[i] = next.Next;
                return next;
            }
        }

        return null;
    }

    public IEnumerable<Sequence> All()
    {
        foreach (var account in Ledger.Waiting)
        {
            for (var i = 0; i < TenantAccount.Classes; i++)
            {
                for (var s = account.Queue((RequestPriority)i).Head; s is not null; s = s.Next)
                {
                    yield return s;
                }
            }
        }
    }

    private static bool Precedes(TenantAccount a, Sequence first, TenantAccount b, Sequence second) =>
        a.Virtual < b.Virtual || (a.Virtual == b.Virtual && first.Order < second.Order);
}
