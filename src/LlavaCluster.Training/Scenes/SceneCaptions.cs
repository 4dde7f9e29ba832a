namespace LlavaCluster.Training.Scenes;

/// <summary>Writes COCO-like captions: short sentences about what is in a picture, from a small grammar.</summary>
internal static class SceneCaptions
{
    private const int Captions = 5;

    private static readonly string[] Frames =
        ["{0}.", "a picture of {0}.", "an image of {0}.", "a photo of {0}.", "{0} in a picture.", "this picture shows {0}.", "there {1} {0}.", "we can see {0}.", "{0} can be seen."];

    /// <summary>Five captions, different in wording or in order wherever the scene allows it.</summary>
    public static IReadOnlyList<string> Write(SceneClasses classes, IReadOnlyList<SceneInstance> instances, int size, SceneRandom random)
    {
        var captions = new List<string>(Captions);
        for (var tries = 0; captions.Count < Captions; tries++)
        {
            var caption = SceneWording.Sentence(random.Chance(0.3f) ? Placed(classes, instances, size, random) : Listed(classes, instances, random));
            if (tries >= 20 || !captions.Contains(caption))
            {
                captions.Add(caption);
            }
        }

        return captions;
    }

    private static string Listed(SceneClasses classes, IReadOnlyList<SceneInstance> instances, SceneRandom random)
    {
        var groups = instances.GroupBy(instance => instance.Category).ToList();
        random.Shuffle(groups);
        var phrases = groups.Select(group => SceneWording.Counted(classes[group.Key], group.Count()));
        var verb = groups.Count == 0 || groups[0].Count() == 1 ? "is" : "are";
        return string.Format(null, random.Pick(Frames), SceneWording.List([.. phrases]), verb);
    }

    private static string Placed(SceneClasses classes, IReadOnlyList<SceneInstance> instances, int size, SceneRandom random)
    {
        var order = instances.ToList();
        random.Shuffle(order);
        var phrases = order.Select(instance => $"{classes[instance.Category].Indefinite} {SceneGeometry.Place(instance.Box, size, size).Phrase()}");
        return SceneWording.List([.. phrases]) + ".";
    }
}
