using Microsoft.Win32.SafeHandles;

namespace LlavaCluster.Training.Data.Conversations;

/// <summary>
/// A JSON array or a file of JSON lines, as places of its records: only these are held in memory, 12 bytes a record, and a record is read when it is wanted. It looks at no
/// more of the JSON than where records end. Reading is safe from several threads.
/// </summary>
internal sealed class RecordFile : IDisposable
{
    private const int BufferBytes = 1 << 20;

    /// <summary>Their places take 160 MB; a file of 4 GiB may hold a thousand times as many empty ones.</summary>
    internal const int MostRecords = 10_000_000;

    private readonly SafeFileHandle _file;
    private readonly List<(long Offset, int Length)> _places = [];

    private RecordFile(SafeFileHandle file) => _file = file;

    public int Count => _places.Count;

    /// <exception cref="InvalidDataException">The file is no array and holds no lines, ends inside its array, or holds too many records.</exception>
    public static RecordFile Open(string path)
    {
        var file = new RecordFile(File.OpenHandle(path, options: FileOptions.RandomAccess));
        try
        {
            file.Scan(path);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public int BytesOf(int record) => _places[record].Length;

    /// <summary>A record's bytes.</summary>
    public byte[] Read(int record)
    {
        var (offset, length) = _places[record];
        var bytes = new byte[length];
        for (var done = 0; done < length;)
        {
            var read = RandomAccess.Read(_file, bytes.AsSpan(done), offset + done);
            done += read > 0 ? read : throw new InvalidDataException($"The data file ended at byte {offset + done}, inside its record {record}: it changed while it was read.");
        }

        return bytes;
    }

    public void Dispose() => _file.Dispose();

    private void Scan(string path)
    {
        var scanner = new RecordScanner(Add);
        var buffer = new byte[BufferBytes];
        for (var offset = 0L; RandomAccess.Read(_file, buffer, offset) is > 0 and var read; offset += read)
        {
            scanner.Take(buffer.AsSpan(0, read));
        }

        if (scanner.Finish() is { } fault)
        {
            throw Refused(fault);
        }

        _places.TrimExcess();

        void Add(long start, long end)
        {
            if (_places.Count == MostRecords)
            {
                throw Refused($"must hold at most {MostRecords} records; it holds more.");
            }

            _places.Add((start, (int)Math.Min(int.MaxValue, end - start)));
        }

        // Where the file lies is the reader's own business.
        InvalidDataException Refused(string rule) => new($"{Path.GetFileName(path)} {rule}");
    }
}
