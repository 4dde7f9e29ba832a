namespace LlavaCluster.Training.Scenes;

/// <summary>An annotation as the teacher reads it: objects with their classes and centres on a unit square. Made from captions and boxes only.</summary>
internal sealed class SceneView
{
    public SceneView(SceneClasses classes, SceneAnnotation annotation)
    {
        Classes = classes;
        Things = [.. annotation.Instances.Select(instance => new SceneThing(classes[instance.Category], instance.Box, annotation.Width, annotation.Height)).OrderBy(ReadingOrder).ThenBy(thing => thing.X)];
        Groups = [.. Things.GroupBy(thing => thing.Class).Select(group => (group.Key, group.Count()))];
        Unique = [.. Things.Where(thing => CountOf(thing.Class) == 1)];
    }

    public SceneClasses Classes { get; }

    /// <summary>
    /// In reading order: rows of ninths first, columns inside a row. Annotations list objects as they were drawn, which no picture shows: an answer in that order
    /// could not be learned, only guessed.
    /// </summary>
    public IReadOnlyList<SceneThing> Things { get; }

    /// <summary>Each class once, with its number, in reading order of its first.</summary>
    public IReadOnlyList<(SceneClass Class, int Count)> Groups { get; }

    /// <summary>Things that "the X" names without doubt.</summary>
    public IReadOnlyList<SceneThing> Unique { get; }

    public int CountOf(SceneClass item) => Things.Count(thing => thing.Class == item);

    /// <summary>Every object's category, as descriptions are graded.</summary>
    public IReadOnlyList<string> Categories => [.. Things.Select(thing => thing.Class.Name)];

    private static int ReadingOrder(SceneThing thing) => thing.Place.Row * 3 + thing.Place.Column;
}
