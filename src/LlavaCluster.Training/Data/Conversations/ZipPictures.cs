using System.IO.Compression;

namespace LlavaCluster.Training.Data.Conversations;

/// <summary>Pictures as entries of a zip archive. One entry is read at a time: pictures are compressed already, so there is little to expand.</summary>
internal sealed class ZipPictures : PictureStore
{
    private const int FileTypeMask = 0xF000, RegularFile = 0x8000, Folder = 0x4000;
    private const int ModeShift = 16;

    /// <summary>Some two million entries, which take ten times as much memory.</summary>
    private const long MostDirectoryBytes = 128 << 20;

    private readonly ZipArchive _archive;
    private readonly Dictionary<string, ZipArchiveEntry> _entries = new(StringComparer.Ordinal);
    private readonly Lock _reading = new();

    public ZipPictures(string path)
    {
        // Where the archive lies is the reader's own business.
        var name = Path.GetFileName(path);
        (_archive, var entries) = Open(path, name);
        try
        {
            foreach (var entry in entries)
            {
                Add(entry, name);
            }
        }
        catch
        {
            _archive.Dispose();
            throw;
        }
    }

    public override void Dispose()
    {
        _archive.Dispose();
        base.Dispose();
    }

    private protected override byte[]? Load(string name, int maxBytes)
    {
        if (!_entries.TryGetValue(name, out var entry))
        {
            return null;
        }

        lock (_reading)
        {
            using var stream = entry.Open();
            return Bytes(stream, entry.Length, maxBytes);
        }
    }

    private static (ZipArchive Archive, IReadOnlyList<ZipArchiveEntry> Entries) Open(string path, string name)
    {
        // The directory is held whole, so it is measured before it is read.
        var directory = ZipEnd.DirectoryBytes(path);
        if (directory > MostDirectoryBytes)
        {
            throw new InvalidDataException($"{name} must list its entries in at most {MostDirectoryBytes} bytes; it takes {directory}.");
        }

        ZipArchive? archive = null;
        try
        {
            archive = ZipFile.OpenRead(path);
            return (archive, archive.Entries);
        }
        catch (Exception fault) when (fault is InvalidDataException or EndOfStreamException)
        {
            archive?.Dispose();
            throw new InvalidDataException($"{name} must be a whole zip archive: {fault.Message}", fault);
        }
    }

    private void Add(ZipArchiveEntry entry, string name)
    {
        var rule = !IsInside(entry.FullName) ? "leads out of the archive."
            : IsSpecial(entry) ? "is a link or a device; an archive must hold files and folders only."
            : !entry.FullName.EndsWith('/') && !_entries.TryAdd(Normal(entry.FullName), entry) ? "occurs twice."
            : null;
        if (rule is not null)
        {
            throw new InvalidDataException($"{name}: the entry \"{RecordFault.Short(entry.FullName)}\" {rule}");
        }
    }

    // Unix puts the file's type in the upper half of the attributes; other systems leave it 0.
    private static bool IsSpecial(ZipArchiveEntry entry) => ((entry.ExternalAttributes >> ModeShift) & FileTypeMask) is not (0 or RegularFile or Folder);
}
