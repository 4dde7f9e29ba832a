namespace LlavaCluster.Training.Distributed;

/// <summary>A member that waits for its previous to connect. Any thread.</summary>
internal sealed class RingExpectation(RingMembership member, Action<RingExpectation> withdraw) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly TaskCompletionSource _arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private RingConnection? _connection;
    private bool _claimed;
    private bool _withdrawn;

    public RingMembership Member => member;

    /// <summary>Ends when there is a connection to take.</summary>
    public Task Arrived => _arrived.Task;

    /// <summary>Whether the caller, and nobody else, may now admit its connection.</summary>
    public bool TryClaim()
    {
        lock (_gate)
        {
            return !_withdrawn && !_claimed && (_claimed = true);
        }
    }

    /// <summary>Hands over what was claimed for, or, with null, lets another claim.</summary>
    public void Settle(RingConnection? connection)
    {
        lock (_gate)
        {
            _claimed = connection is not null;
            if (_withdrawn)
            {
                connection?.Dispose();
                return;
            }

            _connection = connection;
        }

        if (connection is not null)
        {
            _arrived.TrySetResult();
        }
    }

    /// <summary>Once, after <see cref="Arrived"/>; the connection is the caller's.</summary>
    public RingConnection Take()
    {
        lock (_gate)
        {
            var taken = _connection ?? throw new InvalidOperationException("Nobody has arrived.");
            _connection = null;
            return taken;
        }
    }

    /// <summary>Waits no longer; closes what was not taken.</summary>
    public void Dispose()
    {
        withdraw(this);
        lock (_gate)
        {
            _withdrawn = true;
            _connection?.Dispose();
            _connection = null;
        }
    }
}
