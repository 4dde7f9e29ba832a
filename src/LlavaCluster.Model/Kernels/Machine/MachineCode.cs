using System.ComponentModel;
using System.Runtime.InteropServices;

namespace LlavaCluster.Model.Kernels.Machine;

/// <summary>
/// A function of machine code in memory of its own: written, then made executable and read-only, never both writable and executable. Owns the memory; nothing may run
/// in it after <see cref="Dispose"/>. It ends within microseconds and is called without telling the runtime (SuppressGCTransition). Linux.
/// </summary>
internal sealed unsafe partial class MachineCode : IDisposable
{
    private const int ReadWrite = 1 | 2;
    private const int ReadExecute = 1 | 4;
    private const int PrivateAnonymous = 0x02 | 0x20;
    private static readonly nint Failed = -1;

    private readonly nuint _size;
    private nint _address;

    /// <exception cref="Win32Exception">The system gives no executable memory, as hardened ones may; the caller falls back to another kernel.</exception>
    public MachineCode(ReadOnlySpan<byte> code)
    {
        var page = (nuint)Environment.SystemPageSize;
        _size = ((nuint)code.Length + page - 1) / page * page;
        _address = Map(0, _size, ReadWrite, PrivateAnonymous, -1, 0);
        if (_address == Failed)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError());
        }

        code.CopyTo(new Span<byte>((void*)_address, code.Length));
        if (Protect(_address, _size, ReadExecute) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            Dispose();
            throw new Win32Exception(error);
        }
    }

    public nint Address => _address;

    public void Dispose()
    {
        if (_address != 0)
        {
            _ = Unmap(_address, _size);
            _address = 0;
        }
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, long offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    private static partial int Protect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int Unmap(nint address, nuint length);
}
