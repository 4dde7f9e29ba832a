namespace LlavaCluster.Training.Scenes;

/// <summary>
/// The picture while it is drawn: RGB floats on the 0-255 scale plus, per pixel, the object on top.
/// One per thread, reused from scene to scene; plain arithmetic, so the same key gives the same bytes everywhere.
/// </summary>
internal sealed class SceneCanvas
{
    public SceneCanvas(int size)
    {
        Size = size;
        Pixels = new float[size * size * 3];
        Owners = new short[size * size];
        Sprite = new Sprite(size);
    }

    public int Size { get; }

    /// <summary>[size, size, 3], 0 to 255.</summary>
    public float[] Pixels { get; }

    /// <summary>[size, size], objects numbered from 1 in the order of drawing, 0 for none.</summary>
    public short[] Owners { get; }

    /// <summary>Where the next object is rasterised before its place is chosen.</summary>
    public Sprite Sprite { get; }

    /// <summary>Puts the sprite with its visible box's corner at (x, y) and marks its visible pixels as the owner's.</summary>
    public void Blend(Sprite sprite, int x, int y, short owner)
    {
        var (left, top) = (x - sprite.Visible.X, y - sprite.Visible.Y);
        for (var row = 0; row < sprite.Height; row++)
        {
            var targetY = top + row;
            if (targetY < 0 || targetY >= Size)
            {
                continue;
            }

            for (var column = 0; column < sprite.Width; column++)
            {
                var targetX = left + column;
                var source = (row * sprite.Width + column) * 4;
                var alpha = sprite.Pixels[source + 3];
                if (alpha <= 0 || targetX < 0 || targetX >= Size)
                {
                    continue;
                }

                BlendPixel(sprite.Pixels.AsSpan(source, 4), targetY * Size + targetX, owner);
            }
        }
    }

    /// <summary>Rounds to bytes, [size, size, 3].</summary>
    public byte[] ToBytes()
    {
        var bytes = new byte[Pixels.Length];
        for (var i = 0; i < bytes.Length; i++)
        {
            bytes[i] = (byte)Math.Clamp(Pixels[i] + 0.5f, 0f, 255f);
        }

        return bytes;
    }

    private void BlendPixel(ReadOnlySpan<float> premultiplied, int index, short owner)
    {
        var keep = 1 - premultiplied[3] / 255f;
        for (var channel = 0; channel < 3; channel++)
        {
            ref var target = ref Pixels[index * 3 + channel];
            target = premultiplied[channel] + target * keep;
        }

        if (premultiplied[3] >= Artwork.VisibleAlpha)
        {
            Owners[index] = owner;
        }
    }
}
