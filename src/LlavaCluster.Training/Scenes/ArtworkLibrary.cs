namespace LlavaCluster.Training.Scenes;

/// <summary>Decoded artwork of several artists for every class. Immutable after <see cref="Load"/>, thread-safe; about 40 KB per picture.</summary>
public sealed class ArtworkLibrary
{
    private readonly Artwork[][] _artwork; // [artist][class]

    private ArtworkLibrary(SceneClasses classes, IReadOnlyList<string> artists, Artwork[][] artwork)
    {
        Classes = classes;
        Artists = artists;
        _artwork = artwork;
    }

    public SceneClasses Classes { get; }

    public IReadOnlyList<string> Artists { get; }

    /// <exception cref="ArgumentException">No set, or a set whose number of pictures is not the number of classes.</exception>
    /// <exception cref="InvalidDataException">A picture cannot be decoded.</exception>
    public static ArtworkLibrary Load(SceneClasses classes, IReadOnlyList<ArtworkSet> sets)
    {
        ArgumentNullException.ThrowIfNull(classes);
        if (sets.Count == 0)
        {
            throw new ArgumentException("sets must hold at least one artist's artwork; was empty.", nameof(sets));
        }

        var artwork = new Artwork[sets.Count][];
        for (var artist = 0; artist < sets.Count; artist++)
        {
            var set = sets[artist];
            if (set.Pictures.Count != classes.Count)
            {
                throw new ArgumentException($"The set '{set.Artist}' must hold {classes.Count} pictures; was {set.Pictures.Count}.", nameof(sets));
            }

            artwork[artist] = [.. set.Pictures.Select((picture, index) => Artwork.Decode(picture, $"{set.Artist}/{classes[index].Name}"))];
        }

        return new ArtworkLibrary(classes, [.. sets.Select(set => set.Artist)], artwork);
    }

    internal Artwork Get(int artist, int classIndex) => _artwork[artist][classIndex];
}
