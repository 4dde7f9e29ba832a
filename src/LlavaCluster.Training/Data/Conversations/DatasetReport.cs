namespace LlavaCluster.Training.Data.Conversations;

/// <summary>What came of reading a data set. The first bad records are told in full; the rest are counted.</summary>
public sealed class DatasetReport
{
    /// <summary>Bad records that are told in full.</summary>
    public const int MostDetails = 1000;

    private readonly List<BadRecord> _details = [];
    private readonly SortedDictionary<BadRecordKind, int> _counts = [];

    /// <summary>Records in the file.</summary>
    public int Records { get; internal set; }

    public int Bad { get; private set; }

    /// <summary>In the order of the file.</summary>
    public IReadOnlyList<BadRecord> Details => _details;

    public IReadOnlyDictionary<BadRecordKind, int> Counts => _counts;

    internal void Add(BadRecord bad)
    {
        Bad++;
        _counts[bad.Kind] = _counts.GetValueOrDefault(bad.Kind) + 1;
        if (_details.Count < MostDetails)
        {
            _details.Add(bad);
        }
    }
}
