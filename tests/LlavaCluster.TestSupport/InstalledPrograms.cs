namespace LlavaCluster.TestSupport;

/// <summary>Programs that a test needs beside the SDK: a user may lack them, and the test is skipped then; a build server must have them.</summary>
public static class InstalledPrograms
{
    /// <summary>Where the first of the names is that PATH has; null for none.</summary>
    /// <exception cref="InvalidOperationException">There is none, on a build server.</exception>
    public static string? Find(params string[] names)
    {
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        var found = folders.SelectMany(folder => names.Select(name => Path.Combine(folder, name))).FirstOrDefault(File.Exists);
        return found is null && Environment.GetEnvironmentVariable("CI") == "true"
            ? throw new InvalidOperationException($"{names[0]} is not installed, and a build server must have it.")
            : found;
    }
}
