namespace LlavaCluster.Training.Scenes;

/// <summary>Decoded artwork of several artists for every class. Immutable after <see cref="Load"/>, thread-safe; about 40 KB per picture.</summary>
public sealed class ArtworkLibrary
{
    private readonly Artwork?[][] _artwork; // [artist][class]

    private ArtworkLibrary(SceneClasses classes, IReadOnlyList<string> artists, Artwork?[][] artwork)
    {
        Classes = classes;
        Artists = artists;
        _artwork = artwork;
    }

    public SceneClasses Classes { get; }

    public IReadOnlyList<string> Artists { get; }

    /// <exception cref="ArgumentException">No set, a set whose number of pictures is not the number of classes, or a class that nobody drew.</exception>
    /// <exception cref="InvalidDataException">A picture cannot be decoded.</exception>
    public static ArtworkLibrary Load(SceneClasses classes, IReadOnlyList<ArtworkSet> sets)
    {
        ArgumentNullException.ThrowIfNull(classes);
        if (sets.Count == 0)
        {
            throw new ArgumentException("sets must hold at least one artist's artwork; was empty.", nameof(sets));
        }

        var artwork = new Artwork?[sets.Count][];
        for (var artist = 0; artist < sets.Count; artist++)
        {
            var set = sets[artist];
            if (set.Pictures.Count != classes.Count)
            {
                throw new ArgumentException($"The set '{set.Artist}' must hold {classes.Count} pictures; was {set.Pictures.Count}.", nameof(sets));
            }

            artwork[artist] = [.. set.Pictures.Select((picture, index) => picture is { } encoded ? Artwork.Decode(encoded, $"{set.Artist}/{classes[index].Name}") : null)];
        }

        if (classes.Items.Where((_, index) => Array.TrueForAll(artwork, drawn => drawn[index] is null)).FirstOrDefault() is { } nobodys)
        {
            throw new ArgumentException($"sets must hold a picture of every class; none of '{nobodys.Name}'.", nameof(sets));
        }

        return new ArtworkLibrary(classes, [.. sets.Select(set => set.Artist)], artwork);
    }

    /// <summary>The artist's drawing of a class, or where that artist has none the next one's who has.</summary>
    internal Artwork Get(int artist, int classIndex)
    {
        while (_artwork[artist][classIndex] is null)
        {
            artist = (artist + 1) % _artwork.Length;
        }

        return _artwork[artist][classIndex]!;
    }
}
