using System.Runtime.InteropServices;

namespace LlavaCluster.Training.Distributed;

/// <summary>Numbers of a vector as bytes, in pieces: as bytes a vector may be longer than a span.</summary>
internal static class FloatStream
{
    private const int Piece = 1 << 24;

    public static void Write(Stream stream, ReadOnlySpan<float> values)
    {
        for (; !values.IsEmpty; values = values[Math.Min(Piece, values.Length)..])
        {
            stream.Write(MemoryMarshal.AsBytes(values[..Math.Min(Piece, values.Length)]));
        }
    }

    /// <exception cref="EndOfStreamException">The stream ends before the vector is full.</exception>
    public static void Fill(Stream stream, Span<float> values)
    {
        for (; !values.IsEmpty; values = values[Math.Min(Piece, values.Length)..])
        {
            stream.ReadExactly(MemoryMarshal.AsBytes(values[..Math.Min(Piece, values.Length)]));
        }
    }
}
