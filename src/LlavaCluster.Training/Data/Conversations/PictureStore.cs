namespace LlavaCluster.Training.Data.Conversations;

/// <summary>Where a data set's pictures lie: a folder, a zip archive that is never extracted, or nowhere. A name never leads out of it. Thread-safe.</summary>
public abstract class PictureStore : IDisposable
{
    private protected PictureStore()
    {
    }

    /// <summary>For data without pictures, or with pictures in its records.</summary>
    public static PictureStore None { get; } = new NoPictures();

    /// <summary>A folder, or a zip archive.</summary>
    /// <exception cref="InvalidDataException">The archive is damaged, or has an entry that leads out of it.</exception>
    /// <exception cref="FileNotFoundException">There is neither.</exception>
    public static PictureStore Open(string path) => Directory.Exists(path)
        ? new FolderPictures(path)
        : File.Exists(path) ? new ZipPictures(path) : throw new FileNotFoundException($"--images must be a folder or a zip archive; there is none at '{path}'.", path);

    public virtual void Dispose() => GC.SuppressFinalize(this);

    /// <summary>A picture's bytes, or why there are none.</summary>
    internal (byte[]? Bytes, BadRecordKind Kind, string Reason) Read(string name, int maxBytes)
    {
        if (!IsInside(name))
        {
            return (null, BadRecordKind.MissingPicture, $"a picture's name must not lead out of its folder; was \"{RecordFault.Short(name)}\".");
        }

        try
        {
            return Load(Normal(name), maxBytes) is { } bytes
                ? (bytes, BadRecordKind.BrokenPicture, "")
                : (null, BadRecordKind.MissingPicture, $"there is no picture \"{RecordFault.Short(name)}\".");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or InvalidDataException or NotSupportedException)
        {
            return (null, BadRecordKind.BrokenPicture, $"the picture \"{RecordFault.Short(name)}\" cannot be read: {exception.Message}");
        }
    }

    /// <summary>Whether a name stays where it belongs, on every system.</summary>
    internal static bool IsInside(string name) =>
        name.Length > 0 && name[0] is not ('/' or '\\') && !name.Contains(':') && !name.Contains('\0') && name.Split('/', '\\').All(segment => segment != "..");

    private protected static string Normal(string name) => string.Join('/', name.Replace('\\', '/').Split('/').Where(segment => segment is not ("" or ".")));

    /// <summary>Null where there is no such picture.</summary>
    private protected abstract byte[]? Load(string name, int maxBytes);

    // What a length says may be wrong, in an archive on purpose: no more than it says is ever read.
    private protected static byte[] Bytes(Stream stream, long length, int maxBytes)
    {
        if (length > maxBytes)
        {
            throw new InvalidDataException($"it must have at most {maxBytes} bytes; it has {length}.");
        }

        var bytes = new byte[length];
        stream.ReadExactly(bytes);
        return stream.ReadByte() < 0 ? bytes : throw new InvalidDataException($"it is longer than the {length} bytes that it says it has.");
    }

    private sealed class NoPictures : PictureStore
    {
        private protected override byte[]? Load(string name, int maxBytes) => null;
    }
}
