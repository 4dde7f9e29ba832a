using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;

namespace LlavaCluster.Model.Weights;

/// <summary>A whole file mapped read-only. The pages belong to the page cache: they are shared by processes and cost no memory of their own.</summary>
internal sealed unsafe partial class MappedFile : IDisposable
{
    private const int DoNotNeed = 4; // MADV_DONTNEED

    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private byte* _start;

    private MappedFile(MemoryMappedFile file, MemoryMappedViewAccessor view, long length)
    {
        _file = file;
        _view = view;
        Length = length;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
        _start += view.PointerOffset;
    }

    public long Length { get; }

    public byte* Start => _start is null ? throw new ObjectDisposedException(nameof(MappedFile)) : _start;

    public static MappedFile Open(string path)
    {
        try
        {
            var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            var length = stream.Length;
            if (length == 0)
            {
                stream.Dispose();
                throw new CheckpointException(path, "is empty.");
            }

            var file = MemoryMappedFile.CreateFromFile(stream, mapName: null, capacity: 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
            return new MappedFile(file, file.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read), length);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException(path, "cannot be read: " + exception.Message, exception);
        }
    }

    /// <summary>Bytes of the file; the caller has checked that the range lies inside it.</summary>
    public ReadOnlySpan<byte> Span(long offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Length - length);
        return new ReadOnlySpan<byte>(Start + offset, length);
    }

    /// <summary>Gives the pages back to the system, where that is Linux; what is used again is read again.</summary>
    public void Forget()
    {
        if (OperatingSystem.IsLinux())
        {
            _ = Advise((nint)Start, (nuint)Length, DoNotNeed); // begins with a page, as maps do; refused, the pages stay
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(nint address, nuint length, int advice);

    public void Dispose()
    {
        if (_start is null)
        {
            return;
        }

        _start = null;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file.Dispose();
    }
}
