namespace LlavaCluster.Model.Imaging;

/// <summary>A picture on a plane of one colour that may be larger than it. The plane is never built, only rows of it.</summary>
internal readonly struct Plane
{
    private readonly RgbImage _image;
    private readonly int _left;
    private readonly int _top;
    private readonly (byte Red, byte Green, byte Blue) _colour;

    public Plane(RgbImage image)
        : this(image, image.Width, image.Height, default)
    {
    }

    /// <summary>The picture in the middle; of an odd difference the smaller half is left and above.</summary>
    public Plane(RgbImage image, int width, int height, (byte Red, byte Green, byte Blue) colour)
    {
        _image = image;
        _left = (width - image.Width) / 2;
        _top = (height - image.Height) / 2;
        _colour = colour;
        Width = width;
        Height = height;
    }

    public int Width { get; }

    public int Height { get; }

    /// <summary>Whether a row lies wholly beside the picture.</summary>
    public bool IsBlank(int y) => y < _top || y >= _top + _image.Height;

    /// <summary>What <see cref="Row"/> writes to; one row in use at a time.</summary>
    public byte[] Room() => BlankRow();

    public ReadOnlySpan<byte> Row(int y, byte[] room)
    {
        if (IsBlank(y))
        {
            return BlankRow();
        }

        var bytes = _image.Width * 3;
        var own = _image.Pixels.AsSpan((y - _top) * bytes, bytes);
        if (_image.Width == Width)
        {
            return own;
        }

        own.CopyTo(room.AsSpan(_left * 3));
        return room;
    }

    private byte[] BlankRow() => RgbImage.Filled(Width, 1, _colour).Pixels;
}
