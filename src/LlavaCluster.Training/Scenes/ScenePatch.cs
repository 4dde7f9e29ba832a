namespace LlavaCluster.Training.Scenes;

/// <summary>What the boxes say of one patch of a picture: which object covers it, and where and how large that object is.</summary>
/// <param name="Label">0 for background, class index + 1 for the object that covers most of the patch.</param>
/// <param name="X">Centre of that object's box in 0 to 1, from the left; 0 for background, as the next two.</param>
/// <param name="Y">From the top.</param>
/// <param name="Size">Square root of the box's share of the picture.</param>
/// <param name="Middle">This patch's share of that object's middle, 0 to 1: an object's shares are one, so their sum is the number of objects.</param>
public readonly record struct ScenePatch(short Label, float X, float Y, float Size, float Middle);
