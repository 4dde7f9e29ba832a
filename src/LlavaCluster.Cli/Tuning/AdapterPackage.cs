using LlavaCluster.Model.Weights;

namespace LlavaCluster.Cli.Tuning;

/// <summary>The one file that an adapter travels as: safetensors with its configuration in the metadata.</summary>
internal static class AdapterPackage
{
    /// <summary>Opens a file to send, or packs a folder as PEFT or LLaVA's own trainer writes it; the caller disposes it.</summary>
    /// <exception cref="InvalidDataException">The folder is no adapter.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static Stream Open(string path)
    {
        if (!Directory.Exists(path))
        {
            return File.OpenRead(path);
        }

        var file = Path.GetTempFileName();
        try
        {
            AdapterFile.Pack(path, file);
            return new FileStream(file, new FileStreamOptions { Options = FileOptions.DeleteOnClose });
        }
        catch (CheckpointException fault)
        {
            File.Delete(file);
            throw new InvalidDataException(fault.Message, fault);
        }
    }

    /// <summary>Makes PEFT's folder of such a file.</summary>
    /// <exception cref="InvalidDataException">It is no adapter.</exception>
    public static void Unpack(string file, string folder)
    {
        try
        {
            Directory.CreateDirectory(folder);
            AdapterFile.Unpack(file, folder);
        }
        catch (CheckpointException fault)
        {
            throw new InvalidDataException(fault.Message, fault);
        }
    }
}
