using System.Runtime.InteropServices;
using LlavaCluster.Model.Kernels.Machine;

namespace LlavaCluster.Model.Kernels;

/// <summary>Memory outside the garbage collector's heap, aligned for vectors; its content is undefined at first. Owned by its maker.</summary>
internal sealed unsafe class NativeBuffer<T> : IDisposable
    where T : unmanaged
{
    private const nuint Alignment = 64;

    public NativeBuffer(long count)
    {
        Count = count;
        Pointer = (T*)NativeMemory.AlignedAlloc(checked((nuint)(count * sizeof(T))), Alignment);
        LargePages.Advise(Pointer, count * sizeof(T));
    }

    public long Count { get; }

    public T* Pointer { get; private set; }

    public void Dispose()
    {
        NativeMemory.AlignedFree(Pointer);
        Pointer = null;
    }
}
