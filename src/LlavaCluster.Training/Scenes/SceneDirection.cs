namespace LlavaCluster.Training.Scenes;

/// <summary>Left, right, above, below: how far one thing lies in a direction of another, and the words for it.</summary>
internal sealed record SceneDirection(string Name, string Preposition, string Superlative, float SignX, float SignY)
{
    /// <summary>Centres closer than this along an axis are never called left or right, above or below: share of the side.</summary>
    public const float ClearMargin = 0.16f;

    public static SceneDirection Left { get; } = new("left", "to the left of", "leftmost", -1, 0);

    public static SceneDirection Right { get; } = new("right", "to the right of", "rightmost", 1, 0);

    public static SceneDirection Above { get; } = new("above", "above", "highest", 0, -1);

    public static SceneDirection Below { get; } = new("below", "below", "lowest", 0, 1);

    public static IReadOnlyList<SceneDirection> All { get; } = [Left, Right, Above, Below];

    public SceneDirection Opposite => All.First(other => other.SignX == -SignX && other.SignY == -SignY);

    /// <summary>How far <paramref name="thing"/> lies in this direction of <paramref name="origin"/>; negative when it lies the other way.</summary>
    public float Distance(SceneThing thing, SceneThing origin) => SignX * (thing.X - origin.X) + SignY * (thing.Y - origin.Y);
}
