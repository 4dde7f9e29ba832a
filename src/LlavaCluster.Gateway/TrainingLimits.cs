namespace LlavaCluster.Gateway;

/// <summary>Bounds of fine-tuning; what is over one is refused with the bound and its value.</summary>
public sealed class TrainingLimits
{
    /// <summary>Bytes of a training file or of a zip of pictures; they are streamed to the store and never in memory. Default: 4 GiB.</summary>
    public long MaxFileBytes { get; set; } = 4L << 30;

    /// <summary>Bytes of an adapter that is brought. Default: 1 GiB.</summary>
    public long MaxAdapterBytes { get; set; } = 1L << 30;

    /// <summary>Jobs of a tenant that have not ended. Default: 100.</summary>
    public int MaxUnfinishedJobs { get; set; } = 100;

    /// <summary>Trainers of one job. Default: 64.</summary>
    public int MaxTrainers { get; set; } = 64;

    /// <summary>How long a tenant's storage quota is taken for what it was. Default: 10 seconds.</summary>
    public TimeSpan QuotaCacheLifetime { get; set; } = TimeSpan.FromSeconds(10);
}
