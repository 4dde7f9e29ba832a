namespace LlavaCluster.Training.Scenes;

/// <summary>
/// Pictures that nobody draws: more objects than a drawn scene has room for, each of another class and clearly in one place, told by one patch each. A reader of them has many
/// names to look up. Pure and thread-safe.
/// </summary>
internal static class CrowdedScenes
{
    /// <summary>Patches of a picture; those that no object takes are background.</summary>
    public const int Patches = 16;

    private const int Side = 1000; // boxes are whole numbers of it
    private const int Fewest = 2, Most = 12;
    private const float Smallest = 0.15f, Largest = 0.5f;
    private const float ClearMargin = 0.03f;

    /// <summary>The annotation, without captions, and the patches in no order.</summary>
    /// <exception cref="ArgumentException">There are fewer than two classes.</exception>
    public static (SceneAnnotation Annotation, ScenePatch[] Patches) Create(SceneClasses classes, SceneKey key)
    {
        if (classes.Count < Fewest)
        {
            throw new ArgumentException($"There must be at least {Fewest} classes; was {classes.Count}.", nameof(classes));
        }

        var random = SceneRandom.For(key, purpose: 3);
        var kinds = Enumerable.Range(0, classes.Count).ToList();
        random.Shuffle(kinds);
        var count = Fewest + random.Next(Math.Min(Most, classes.Count) - Fewest + 1);
        var boxes = Enumerable.Range(0, count).Select(_ => DrawBox(random)).ToList();
        var patches = new ScenePatch[Patches];
        for (var i = 0; i < count; i++)
        {
            var box = boxes[i];
            patches[i] = new ScenePatch((short)(kinds[i] + 1), box.CentreX / Side, box.CentreY / Side, MathF.Sqrt(box.Area) / Side, Middle: 1);
        }

        random.Shuffle(patches);
        return (new SceneAnnotation($"crowded-{key}", Side, Side, [.. boxes.Select((box, i) => new SceneInstance(classes[kinds[i]].Name, box))], []), patches);
    }

    private static BoundingBox DrawBox(SceneRandom random)
    {
        while (true)
        {
            var (width, height) = ((int)(random.Range(Smallest, Largest) * Side), (int)(random.Range(Smallest, Largest) * Side));
            var box = new BoundingBox(random.Next(Side - width + 1), random.Next(Side - height + 1), width, height);
            if (SceneGeometry.PlaceMargin(box, Side, Side) >= ClearMargin)
            {
                return box;
            }
        }
    }
}
