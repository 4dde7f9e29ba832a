using System.IO.Compression;

namespace LlavaCluster.Training.Data.Conversations;

/// <summary>Pictures as entries of a zip archive. One entry is read at a time: pictures are compressed already, so there is little to expand.</summary>
internal sealed class ZipPictures : PictureStore
{
    private const int FileTypeMask = 0xF000, RegularFile = 0x8000, Folder = 0x4000;
    private const int ModeShift = 16;

    private readonly ZipArchive _archive;
    private readonly Dictionary<string, ZipArchiveEntry> _entries = new(StringComparer.Ordinal);
    private readonly Lock _reading = new();

    public ZipPictures(string path)
    {
        _archive = ZipFile.OpenRead(path);
        try
        {
            foreach (var entry in _archive.Entries)
            {
                if (!IsInside(entry.FullName))
                {
                    throw new InvalidDataException($"{path}: the entry \"{RecordFault.Short(entry.FullName)}\" leads out of the archive.");
                }

                if (IsSpecial(entry))
                {
                    throw new InvalidDataException($"{path}: the entry \"{RecordFault.Short(entry.FullName)}\" is a link or a device; an archive must hold files and folders only.");
                }

                if (!entry.FullName.EndsWith('/') && !_entries.TryAdd(Normal(entry.FullName), entry))
                {
                    throw new InvalidDataException($"{path}: the entry \"{RecordFault.Short(entry.FullName)}\" occurs twice.");
                }
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

    // Unix puts the file's type in the upper half of the attributes; other systems leave it 0.
    private static bool IsSpecial(ZipArchiveEntry entry) => ((entry.ExternalAttributes >> ModeShift) & FileTypeMask) is not (0 or RegularFile or Folder);
}
