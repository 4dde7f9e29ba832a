namespace LlavaCluster.Engine.Scheduling;

/// <summary>One tenant on this engine: its waiting sequences by class and its virtual token counter. One thread.</summary>
internal sealed class TenantAccount(string tenant)
{
    public const int Classes = 3;

    private readonly SequenceQueue[] _queues = [new(), new(), new()];

    public string Tenant => tenant;

    /// <summary>Cost of everything served, divided by the weight. The tenant with the least is served next.</summary>
    public double Virtual { get; set; }

    /// <summary>Sequences that wait.</summary>
    public int Waiting { get; set; }

    /// <summary>Sequences that wait or run.</summary>
    public int Live { get; set; }

    /// <summary>Where the scan of this step stands, by class.</summary>
    public Sequence?[] Cursor { get; } = new Sequence?[Classes];

    public SequenceQueue Queue(RequestPriority priority) => _queues[(int)priority];
}
