namespace LlavaCluster.Grains.Training;

/// <summary>How long a job's coordinator waits for what.</summary>
internal sealed record JobPace
{
    /// <summary>A trainer that has not reported for so long is lost: several missed reports.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromSeconds(6);

    /// <summary>How long those that are ready wait for one that still reads its data; it can join at the next epoch.</summary>
    public TimeSpan Reading { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>How long a trainer that was told of its group may take to say so.</summary>
    public TimeSpan Start { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>How often device time is charged to the tenant.</summary>
    public TimeSpan Charge { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a trainer that could not go on is not asked again; a full disk may have room by then.</summary>
    public TimeSpan Exclusion { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>For a call to a trainer.</summary>
    public TimeSpan Call { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How often a job does what is due.</summary>
    public TimeSpan Round { get; init; } = TimeSpan.FromSeconds(1);
}
