namespace LlavaCluster.Training.Scenes;

/// <summary>An npm package at one version, with the registry's integrity string ("sha512-" + base64) of its archive.</summary>
public sealed record NpmPackage(string Name, string Version, string Integrity)
{
    /// <summary>A folder name that is unique to the version and safe on any file system.</summary>
    public string FolderName => $"{Name.TrimStart('@').Replace('/', '-')}-{Version}";
}
