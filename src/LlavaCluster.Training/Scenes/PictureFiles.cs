namespace LlavaCluster.Training.Scenes;

/// <summary>A picture file per emoji, named by its code points: the whole set, in which nothing may be missing.</summary>
/// <param name="Folder">The pictures' folder inside the package.</param>
/// <param name="Extension">With the dot: ".png", ".webp".</param>
public sealed record PictureFiles(string Folder, string Extension) : IArtworkSource
{
    public IReadOnlyList<ReadOnlyMemory<byte>?> Load(string root, SceneClasses classes)
    {
        ArgumentNullException.ThrowIfNull(classes);
        return [.. classes.Items.Select(item => (ReadOnlyMemory<byte>?)File.ReadAllBytes(PicturePath(root, item)))];
    }

    private string PicturePath(string root, SceneClass item)
    {
        var full = item.Codepoints.ToLowerInvariant();
        string[] names = [full, full.Replace("-fe0f", "", StringComparison.Ordinal)];
        return names.Select(name => Path.Combine(root, Folder, name + Extension)).FirstOrDefault(File.Exists)
            ?? throw new InvalidDataException($"{Path.GetFileName(root)} has no picture for '{item.Name}' ({item.Codepoints}).");
    }
}
