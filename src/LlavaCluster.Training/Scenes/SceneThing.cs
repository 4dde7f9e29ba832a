namespace LlavaCluster.Training.Scenes;

/// <summary>One object seen through its box: class, centre and size relative to the picture's sides.</summary>
internal sealed class SceneThing(SceneClass item, BoundingBox box, int width, int height)
{
    public SceneClass Class { get; } = item;

    /// <summary>Centre in 0 to 1, from the left.</summary>
    public float X { get; } = box.CentreX / width;

    /// <summary>Centre in 0 to 1, from the top.</summary>
    public float Y { get; } = box.CentreY / height;

    /// <summary>Share of the picture that the box covers.</summary>
    public float Area { get; } = box.Area / (float)(width * height);

    public ScenePlace Place { get; } = SceneGeometry.Place(box, width, height);

    /// <summary>Distance of the centre from the nearest border between two places.</summary>
    public float PlaceMargin { get; } = SceneGeometry.PlaceMargin(box, width, height);
}
