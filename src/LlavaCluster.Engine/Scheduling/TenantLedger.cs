namespace LlavaCluster.Engine.Scheduling;

/// <summary>
/// Token fairness between tenants by virtual token counters (Sheng et al., "Fairness in Serving Large Language Models", OSDI 2024, algorithm 2):
/// a tenant that comes to wait is lifted to the least counter among those that already do, so that idling earns no credit. One thread.
/// </summary>
internal sealed class TenantLedger
{
    private const int IdleAccounts = 1024;

    // A smaller one would lift its tenant's counter so far, and with it every newcomer's, that all counters become equal.
    private const double LeastWeight = 1e-3;

    private readonly Dictionary<string, TenantAccount> _accounts = [];
    private readonly List<TenantAccount> _waiting = [];
    private double _lastLeft;

    public IReadOnlyList<TenantAccount> Waiting => _waiting;

    public TenantAccount Open(string tenant)
    {
        if (!_accounts.TryGetValue(tenant, out var account))
        {
            Prune();
            account = new TenantAccount(tenant);
            _accounts.Add(tenant, account);
        }

        account.Live++;
        return account;
    }

    public void Close(TenantAccount account) => account.Live--;

    public void Enqueue(TenantAccount account)
    {
        if (account.Waiting++ == 0)
        {
            account.Virtual = Math.Max(account.Virtual, Floor());
            _waiting.Add(account);
        }
    }

    public void Dequeue(TenantAccount account)
    {
        if (--account.Waiting == 0)
        {
            _waiting.Remove(account);
            _lastLeft = account.Virtual;
        }
    }

    /// <summary>Adds the cost of served tokens.</summary>
    public static void Charge(Sequence sequence, double cost) => sequence.Account!.Virtual += cost / Math.Max(sequence.Weight, LeastWeight);

    private double Floor()
    {
        if (_waiting.Count == 0)
        {
            return _lastLeft;
        }

        var least = double.PositiveInfinity;
        foreach (var account in _waiting)
        {
            least = Math.Min(least, account.Virtual);
        }

        return least;
    }

    /// <summary>An idle account at or below the floor would be lifted to it anyway; the others are remembered, within a bound.</summary>
    private void Prune()
    {
        if (_accounts.Count <= IdleAccounts)
        {
            return;
        }

        var floor = Floor();
        foreach (var account in _accounts.Values)
        {
            if (account.Live == 0 && (account.Virtual <= floor || _accounts.Count > 2 * IdleAccounts))
            {
                _accounts.Remove(account.Tenant);
            }
        }
    }
}
