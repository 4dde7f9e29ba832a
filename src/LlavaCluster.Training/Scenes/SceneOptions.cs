namespace LlavaCluster.Training.Scenes;

/// <summary>How scenes are drawn. Lengths are shares of the picture's side, so that scenes look alike at any size.</summary>
public sealed class SceneOptions
{
    /// <summary>Side of the square picture in pixels; default 112, 32 to 1024.</summary>
    public int Size { get; set; } = 112;

    /// <summary>Smallest longest side of an object; default 0.23 (26 px of 112).</summary>
    public float SmallestObject { get; set; } = 0.23f;

    /// <summary>Largest longest side of an object; default 0.52 (58 px of 112).</summary>
    public float LargestObject { get; set; } = 0.52f;

    /// <summary>Objects turn by at most so many degrees either way; default 20.</summary>
    public float LargestTurn { get; set; } = 20f;

    /// <summary>Share of the smaller box that another box may cover; default 0.12.</summary>
    public float LargestOverlap { get; set; } = 0.12f;

    /// <summary>Share of the scenes with several objects in which one class comes two to four times; default 0.55. The others show as many classes as objects.</summary>
    public float Repeats { get; set; } = 0.55f;

    /// <summary>Whether colours, blur and noise vary; off in tests that compare pixels. Default true.</summary>
    public bool Jitter { get; set; } = true;

    internal void Validate()
    {
        if (Size is < 32 or > 1024)
        {
            throw new ArgumentException($"Size must be between 32 and 1024; was {Size}.");
        }

        if (!(SmallestObject > 0.05f && SmallestObject <= LargestObject && LargestObject <= 0.7f))
        {
            throw new ArgumentException($"0.05 < SmallestObject <= LargestObject <= 0.7 must hold; was {SmallestObject} and {LargestObject}.");
        }

        if (!(LargestTurn is >= 0 and <= 45))
        {
            throw new ArgumentException($"LargestTurn must be between 0 and 45 degrees; was {LargestTurn}.");
        }

        if (!(Repeats is >= 0 and <= 1))
        {
            throw new ArgumentException($"Repeats must be between 0 and 1; was {Repeats}.");
        }

        if (!(LargestOverlap is >= 0 and <= 0.3f))
        {
            throw new ArgumentException($"LargestOverlap must be between 0 and 0.3; was {LargestOverlap}.");
        }
    }
}
