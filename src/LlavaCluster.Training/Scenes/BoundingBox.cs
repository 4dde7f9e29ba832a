namespace LlavaCluster.Training.Scenes;

/// <summary>A box in pixels as COCO has it: left, top, width, height; the origin is the picture's top left corner.</summary>
public readonly record struct BoundingBox(int X, int Y, int Width, int Height)
{
    public int Right => X + Width;

    public int Bottom => Y + Height;

    public float CentreX => X + Width / 2f;

    public float CentreY => Y + Height / 2f;

    public int Area => Width * Height;

    /// <summary>Pixels that both boxes cover.</summary>
    public int Intersection(BoundingBox other)
    {
        var width = Math.Min(Right, other.Right) - Math.Max(X, other.X);
        var height = Math.Min(Bottom, other.Bottom) - Math.Max(Y, other.Y);
        return width > 0 && height > 0 ? width * height : 0;
    }
}
