using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using LlavaCluster.Model.Kernels.Threading;

namespace LlavaCluster.Cli.Benchmarks;

/// <summary>How fast this machine reads memory right now, with the threads that decode: the ceiling of decoding one stream. One thread.</summary>
internal sealed unsafe class BandwidthProbe : IDisposable
{
    private const long Bytes = 1L << 30; // far beyond any cache
    private const int ChunkBytes = 1 << 20;
    private const int LineBytes = 64;
    private const int LinesAtOnce = 8;

    private readonly KernelTeam _team;
    private readonly TimeProvider _time;
    private readonly byte* _memory;
    private readonly long[] _sums;

    public BandwidthProbe(KernelTeam team, TimeProvider time)
    {
        (_team, _time) = (team, time);
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)Bytes, LineBytes);
        _sums = new long[team.Threads];
        _team.Run((int)(Bytes / ChunkBytes), (chunk, _) => new Span<byte>(_memory + ((nint)chunk * ChunkBytes), ChunkBytes).Fill(1)); // resident from here on
    }

    /// <summary>Bytes per second of one pass.</summary>
    public double Measure()
    {
        var began = _time.GetTimestamp();
        _team.Run((int)(Bytes / ChunkBytes), (chunk, thread) => _sums[thread] += Sum(_memory + ((nint)chunk * ChunkBytes)));
        return Bytes / _time.GetElapsedTime(began).TotalSeconds;
    }

    public void Dispose() => NativeMemory.AlignedFree(_memory);

    private static long Sum(byte* chunk)
    {
        var (first, second, third, fourth) = (Vector512<long>.Zero, Vector512<long>.Zero, Vector512<long>.Zero, Vector512<long>.Zero);
        for (var at = 0; at < ChunkBytes; at += LinesAtOnce * LineBytes)
        {
            var line = (long*)(chunk + at);
            first += Vector512.LoadAligned(line) + Vector512.LoadAligned(line + 8);
            second += Vector512.LoadAligned(line + 16) + Vector512.LoadAligned(line + 24);
            third += Vector512.LoadAligned(line + 32) + Vector512.LoadAligned(line + 40);
            fourth += Vector512.LoadAligned(line + 48) + Vector512.LoadAligned(line + 56);
        }

        return Vector512.Sum(first + second + third + fourth);
    }
}
