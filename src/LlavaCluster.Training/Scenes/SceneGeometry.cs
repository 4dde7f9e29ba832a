namespace LlavaCluster.Training.Scenes;

/// <summary>Where boxes lie and how they lie to each other. Pure.</summary>
internal static class SceneGeometry
{
    /// <summary>The ninth in which the box's centre lies.</summary>
    public static ScenePlace Place(BoundingBox box, int width, int height) =>
        new(Third(box.CentreX / width), Third(box.CentreY / height));

    /// <summary>How far the centre is from the nearest border between ninths, as a share of the side.</summary>
    public static float PlaceMargin(BoundingBox box, int width, int height) =>
        Math.Min(ThirdMargin(box.CentreX / width), ThirdMargin(box.CentreY / height));

    private static int Third(float position) => position < 1 / 3f ? -1 : position > 2 / 3f ? 1 : 0;

    private static float ThirdMargin(float position) => Math.Min(Math.Abs(position - 1 / 3f), Math.Abs(position - 2 / 3f));
}
