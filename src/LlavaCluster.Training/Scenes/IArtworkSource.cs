namespace LlavaCluster.Training.Scenes;

/// <summary>How an artist's pictures lie in a package.</summary>
public interface IArtworkSource
{
    /// <summary>The folder inside the package that holds pictures; null where they are in a file at its top.</summary>
    string? Folder { get; }

    /// <summary>An encoded picture (PNG or WebP) per class, in the classes' order; null for what the artist never drew.</summary>
    /// <param name="root">The unpacked package.</param>
    /// <param name="classes">What is wanted.</param>
    /// <exception cref="InvalidDataException">The package is not as it should be.</exception>
    IReadOnlyList<ReadOnlyMemory<byte>?> Load(string root, SceneClasses classes);
}
