namespace LlavaCluster.Training.Data.Conversations;

/// <summary>
/// A data file and its pictures as training samples, every one of them checked when it was opened. Memory holds an index of some 30 bytes a record; records and pictures are
/// read when a sample is loaded. Loading is safe from several threads; owns its files.
/// </summary>
public sealed class ConversationDataset : IDisposable
{
    private readonly RecordFile _records;
    private readonly PictureStore _pictures;
    private readonly SampleEncoder _encoder;
    private readonly DatasetOptions _options;
    private readonly int[] _kept;

    private ConversationDataset(RecordFile records, PictureStore pictures, SampleEncoder encoder, DatasetOptions options, DatasetScan scan)
    {
        (_records, _pictures, _encoder, _options) = (records, pictures, encoder, options);
        (_kept, Lengths, Digest) = ([.. scan.Kept], scan.Lengths, scan.Digest);
    }

    public int Count => _kept.Length;

    /// <summary>SHA-256 in hexadecimal of the records that are used, in order, and of their pictures: bytes where they were decoded, otherwise names and sizes.</summary>
    public string Digest { get; }

    /// <summary>Words of each sample, at least 1; negative for one without a picture.</summary>
    public IReadOnlyList<int> Lengths { get; }

    public SampleEncoder Encoder => _encoder;

    /// <summary>Reads the file through. Takes over the store.</summary>
    /// <param name="progress">Told how many records are read.</param>
    /// <returns>The data set, or null where the policy or the lack of a good record refuses it; the report says why.</returns>
    /// <exception cref="InvalidDataException">The file is neither a JSON array nor JSON lines.</exception>
    public static (ConversationDataset? Dataset, DatasetReport Report) Open(
        string file, PictureStore pictures, SampleEncoder encoder, DatasetOptions? options = null, Action<int>? progress = null, CancellationToken cancellationToken = default)
    {
        options ??= new DatasetOptions();
        RecordFile? records = null;
        try
        {
            records = RecordFile.Open(file);
            var scan = new DatasetScan(records, pictures, encoder, options);
            scan.Run(progress, cancellationToken);
            if (scan.Kept.Count > 0 && (scan.Report.Bad == 0 || options.BadRecords == BadRecordPolicy.Skip))
            {
                return (new ConversationDataset(records, pictures, encoder, options, scan), scan.Report);
            }

            records.Dispose();
            pictures.Dispose();
            return (null, scan.Report);
        }
        catch
        {
            records?.Dispose();
            pictures.Dispose();
            throw;
        }
    }

    /// <summary>A sample, its pictures decoded; takes milliseconds.</summary>
    /// <param name="sample">From 0, among those that are used.</param>
    /// <exception cref="InvalidDataException">Its record or picture is no longer what it was when the data set was opened; the record is named.</exception>
    public TrainingSample Load(int sample)
    {
        var record = _kept[sample];
        var parsed = ConversationParser.Parse(_records.Read(record), _options.MaxPictures);
        if (parsed.Conversation is not { } conversation)
        {
            throw Changed(record, parsed.Id, parsed.Reason);
        }

        var (tokens, _, reason) = _encoder.Tokens(conversation, record);
        if (tokens.Count == 0)
        {
            throw Changed(record, parsed.Id, reason);
        }

        var files = new byte[conversation.Pictures.Count][];
        for (var i = 0; i < files.Length; i++)
        {
            var (bytes, _, refusal) = DatasetScan.Read(conversation.Pictures[i], _pictures, _options);
            files[i] = bytes ?? throw Changed(record, parsed.Id, refusal);
        }

        try
        {
            return new TrainingSample(tokens, _encoder.Pixels(files, _options.Picture));
        }
        catch (InvalidDataException exception)
        {
            throw Changed(record, parsed.Id, exception.Message);
        }
    }

    /// <summary>Where a sample stands in the file, and the record's own id.</summary>
    public (int Record, string? Id) Describe(int sample) => (_kept[sample], ConversationParser.Parse(_records.Read(_kept[sample]), _options.MaxPictures).Id);

    public void Dispose()
    {
        _records.Dispose();
        _pictures.Dispose();
    }

    private static InvalidDataException Changed(int record, string? id, string reason) => new($"record {record} ({RecordFault.Short(id ?? "no id")}): {reason}");
}
