namespace LlavaCluster.Model.Tests.Weights;

/// <summary>A folder of its own for one test, gone afterwards.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Root { get; } = Directory.CreateTempSubdirectory("llava-model-tests-").FullName;

    public string File(string name) => Path.Combine(Root, name);

    public string Write(string name, byte[] content)
    {
        System.IO.File.WriteAllBytes(File(name), content);
        return File(name);
    }

    public string Write(string name, string content)
    {
        System.IO.File.WriteAllText(File(name), content);
        return File(name);
    }

    /// <summary>Copies the files (not the sub-folders) of a folder here.</summary>
    public TemporaryFolder CopyOf(string folder)
    {
        foreach (var file in Directory.GetFiles(folder))
        {
            System.IO.File.Copy(file, File(Path.GetFileName(file)));
        }

        return this;
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
