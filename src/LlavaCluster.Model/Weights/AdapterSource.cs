using System.Text;

namespace LlavaCluster.Model.Weights;

/// <summary>What an adapter is read from, whether a folder or one file: its configuration's text and the files of its tensors, which it owns.</summary>
internal sealed class AdapterSource : IDisposable
{
    private const int LargestConfig = 1 << 20;
    private const string OtherTrainables = "non_lora_trainables.bin";

    private static readonly string[] WeightFiles = [LoraAdapterReader.WeightsFile, "adapter_model.bin"];

    private AdapterSource(string configPath, byte[] config, IReadOnlyList<ITensorFile> files) => (ConfigPath, Config, Files) = (configPath, config, files);

    /// <summary>The file that messages about the configuration name.</summary>
    public string ConfigPath { get; }

    /// <summary>JSON in UTF-8.</summary>
    public byte[] Config { get; }

    /// <summary>The one with the factors first.</summary>
    public IReadOnlyList<ITensorFile> Files { get; }

    /// <exception cref="CheckpointException">It is no adapter.</exception>
    public static AdapterSource Open(string path) => Directory.Exists(path) ? OpenFolder(path) : OpenFile(path);

    /// <exception cref="CheckpointException">It is no adapter.</exception>
    public static AdapterSource OpenFolder(string folder)
    {
        var configPath = Path.Combine(folder, LoraAdapterReader.ConfigFile);
        if (!File.Exists(configPath))
        {
            throw new CheckpointException(folder, $"is not an adapter folder: it has no {LoraAdapterReader.ConfigFile}.");
        }

        var config = ReadConfig(configPath);
        var weights = WeightFiles.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists)
            ?? throw new CheckpointException(folder, $"has none of {string.Join(", ", WeightFiles)}.");
        var files = new List<ITensorFile> { TensorFile.Open(weights) };
        try
        {
            if (Path.Combine(folder, OtherTrainables) is var other && File.Exists(other))
            {
                files.Add(TensorFile.Open(other));
            }
        }
        catch
        {
            files[0].Dispose();
            throw;
        }

        return new AdapterSource(configPath, config, files);
    }

    /// <exception cref="CheckpointException">It is no adapter.</exception>
    public static AdapterSource OpenFile(string path)
    {
        var file = SafetensorsFile.Open(path);
        try
        {
            return file.Metadata.TryGetValue(AdapterFile.ConfigKey, out var text)
                ? new AdapterSource(path, Bounded(path, Encoding.UTF8.GetBytes(text)), [file])
                : throw new CheckpointException(path, $"is not an adapter: its metadata has no {AdapterFile.ConfigKey}.");
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        foreach (var file in Files)
        {
            file.Dispose();
        }
    }

    private static byte[] ReadConfig(string path)
    {
        try
        {
            return new FileInfo(path).Length > LargestConfig ? throw TooLarge(path, new FileInfo(path).Length) : File.ReadAllBytes(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException(path, "cannot be read: " + exception.Message, exception);
        }
    }

    private static byte[] Bounded(string path, byte[] config) => config.Length > LargestConfig ? throw TooLarge(path, config.Length) : config;

    private static CheckpointException TooLarge(string path, long length) => new(path, $"its adapter configuration must be <= {LargestConfig} bytes; was {length}.");
}
