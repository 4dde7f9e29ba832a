namespace LlavaCluster.Storage;

/// <summary>Why a store did not take a write. What it took before is safe.</summary>
public enum StorageFault
{
    /// <summary>The disk, or the tenant's share of it, is full.</summary>
    Full,

    /// <summary>The medium failed or stayed locked; the write may be tried again.</summary>
    Unavailable,

    /// <summary>Someone else wrote first: the caller's view is out of date and must be read again.</summary>
    Conflict,
}
