using LlavaCluster.Pictures;

namespace LlavaCluster.Training.Data.Conversations;

/// <summary>How a data set is read.</summary>
public sealed record DatasetOptions
{
    /// <summary>Whether one bad record refuses the data set (default) or is left out.</summary>
    public BadRecordPolicy BadRecords { get; init; } = BadRecordPolicy.Stop;

    /// <summary>Whether every picture is decoded once when the data set is opened, and its bytes are part of the digest; if not, only headers are read. Default: true.</summary>
    public bool DecodePictures { get; init; } = true;

    /// <summary>Whether two records may have one id, as in LLaVA's own mixtures. Default: false.</summary>
    public bool AllowDuplicateIds { get; init; }

    /// <summary>Bytes of a record. Default: 64 MiB, for those that bring their pictures.</summary>
    public int MaxRecordBytes { get; init; } = 64 << 20;

    /// <summary>Pictures of a record. Default: 16.</summary>
    public int MaxPictures { get; init; } = 16;

    /// <summary>Threads that read it when it is opened, with the priority of the one that opens it. Default: one a core.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    public HeaderLimits Picture { get; init; } = new();
}

public enum BadRecordPolicy
{
    Stop,
    Skip,
}
