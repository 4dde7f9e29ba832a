namespace LlavaCluster.Training.Scenes;

/// <summary>
/// All that a text-only teacher may see of a picture: COCO's captions and boxes. Holds no pixel and no artwork.
/// </summary>
/// <param name="ImageId">The scene's key as text, unique over splits, seeds and indices.</param>
/// <param name="Width">In pixels.</param>
/// <param name="Height">In pixels.</param>
/// <param name="Instances">Every object in the picture.</param>
/// <param name="Captions">Five sentences about the picture.</param>
public sealed record SceneAnnotation(
    string ImageId, int Width, int Height, IReadOnlyList<SceneInstance> Instances, IReadOnlyList<string> Captions);
