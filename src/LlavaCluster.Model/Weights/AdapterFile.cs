using System.Text;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Weights;

/// <summary>
/// A LoRA adapter as one file, the form in which it is stored: safetensors with the tensors of PEFT's folder under their own names, and in its metadata the whole text of adapter_config.json
/// under <c>adapter_config</c> beside <c>"format":"pt"</c>. Knows nothing of the base; <see cref="LoraAdapterReader"/> checks that.
/// </summary>
public static class AdapterFile
{
    internal const string ConfigKey = "adapter_config";

    private static readonly Dictionary<string, string> Format = new() { ["format"] = "pt" };

    /// <summary>Makes one file of a folder as PEFT or LLaVA's own trainer writes it; it is there whole or not at all.</summary>
    /// <exception cref="CheckpointException">The folder is no adapter, or a tensor is in two of its files.</exception>
    public static void Pack(string folder, string file)
    {
        using var source = AdapterSource.OpenFolder(folder);
        _ = LoraSettings.Parse(source.ConfigPath, source.Config);
        var tensors = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        try
        {
            foreach (var part in source.Files)
            {
                foreach (var name in part.Tensors.Keys)
                {
                    if (!tensors.TryAdd(name, part.View(name)))
                    {
                        throw new CheckpointException(part.Path, name, "is in another file of the folder too.");
                    }
                }
            }

            SafetensorsWriter.Write(file, [.. tensors], new Dictionary<string, string>(Format) { [ConfigKey] = Encoding.UTF8.GetString(source.Config) });
        }
        finally
        {
            Dispose(tensors.Values);
        }
    }

    /// <summary>Makes PEFT's folder of one file. The projector of LLaVA's own trainer lies among the other tensors.</summary>
    /// <exception cref="CheckpointException">The file is no adapter.</exception>
    public static void Unpack(string file, string folder)
    {
        using var source = AdapterSource.OpenFile(file);
        var tensors = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        try
        {
            foreach (var name in source.Files[0].Tensors.Keys)
            {
                tensors.Add(name, source.Files[0].View(name));
            }

            SafetensorsWriter.Write(Path.Combine(folder, LoraAdapterReader.WeightsFile), [.. tensors], Format);
            AtomicFile.Write(Path.Combine(folder, LoraAdapterReader.ConfigFile), stream => stream.Write(source.Config));
        }
        finally
        {
            Dispose(tensors.Values);
        }
    }

    private static void Dispose(IEnumerable<Tensor> tensors)
    {
        foreach (var tensor in tensors)
        {
            tensor.Dispose();
        }
    }
}
