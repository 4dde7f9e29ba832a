namespace LlavaCluster.Pictures.Pixels;

/// <summary>256 colours; those a file does not give are the grays of their numbers, as in Pillow.</summary>
internal readonly ref struct Palette(Span<byte> colours)
{
    public const int Bytes = 3 * 256;

    private readonly Span<byte> _colours = colours;

    /// <summary>The grays of <paramref name="depth"/> bits.</summary>
    public static Palette Grays(Span<byte> room, int depth = 8)
    {
        for (var i = 0; i < 256; i++)
        {
            room.Slice(3 * i, 3).Fill((byte)(i * (255 / ((1 << depth) - 1))));
        }

        return new Palette(room);
    }

    public void Set(ReadOnlySpan<byte> rgb) => rgb.CopyTo(_colours);

    /// <param name="entries">Blue, green and red, then nothing or a byte that means nothing.</param>
    public void SetBgr(ReadOnlySpan<byte> entries, int entryBytes)
    {
        for (var i = 0; i < entries.Length / entryBytes; i++)
        {
            (_colours[3 * i], _colours[(3 * i) + 1], _colours[(3 * i) + 2]) = (entries[(i * entryBytes) + 2], entries[(i * entryBytes) + 1], entries[i * entryBytes]);
        }
    }

    /// <summary>Puts packed indices, the first in the high bits, at every <paramref name="step"/>-th pixel.</summary>
    public void Paint(ReadOnlySpan<byte> packed, int depth, int count, Span<byte> rgb, int step = 1)
    {
        var mask = (1 << depth) - 1;
        for (int i = 0, to = 0; i < count; i++, to += 3 * step)
        {
            var bit = i * depth;
            var colour = 3 * ((packed[bit >> 3] >> (8 - depth - (bit & 7))) & mask);
            (rgb[to], rgb[to + 1], rgb[to + 2]) = (_colours[colour], _colours[colour + 1], _colours[colour + 2]);
        }
    }
}
