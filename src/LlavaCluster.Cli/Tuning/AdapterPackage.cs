namespace LlavaCluster.Cli.Tuning;

/// <summary>The one file that an adapter travels as: safetensors with its configuration in the metadata.</summary>
internal static class AdapterPackage
{
    /// <summary>Opens a file to send; the caller disposes it.</summary>
    /// <exception cref="InvalidDataException">It is no single file.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static Stream Open(string path) => Directory.Exists(path)
        ? throw new InvalidDataException($"{path} is a folder; an adapter travels as one safetensors file with adapter_config in its metadata.")
        : File.OpenRead(path);
}
