using System.Text.Json;
using LlavaCluster.Model.Weights;

namespace LlavaCluster.Cli.Parity;

/// <summary>
/// A checkpoint with its reference outputs beside it in <c>expected/</c> and the pictures they speak of in <c>images/</c>, within the folder or beside it.
/// Which pictures and prompts there are is read from the files, never assumed.
/// </summary>
internal sealed class ParityFolder(string path)
{
    public string Path { get; } = path;

    public string Adapter => System.IO.Path.Combine(Path, "adapter");

    /// <summary>The prompts, in the file's order.</summary>
    public IReadOnlyList<ParityPrompt> Prompts { get; } = ReadPrompts(System.IO.Path.Combine(path, "expected", "prompts.json"));

    public bool Has(string file) => File.Exists(Expected(file));

    public SafetensorsFile Tensors(string file) => SafetensorsFile.Open(Expected(file));

    public JsonElement Json(string file) => ReadJson(Expected(file));

    /// <summary>The pictures' names, in the file's order.</summary>
    public IEnumerable<string> Images => ReadJson(ImageFile("images.json")).EnumerateObject().Select(image => image.Name);

    public byte[] ImageBytes(string name) => File.ReadAllBytes(ImageFile(ReadJson(ImageFile("images.json")).GetProperty(name).GetProperty("file").GetString()!));

    public SafetensorsFile? DecodedImages => File.Exists(ImageFile("decoded_rgb.safetensors")) ? SafetensorsFile.Open(ImageFile("decoded_rgb.safetensors")) : null;

    private string ImageFile(string name)
    {
        var own = System.IO.Path.Combine(Path, "images");
        return System.IO.Path.Combine(Directory.Exists(own) ? own : System.IO.Path.Combine(Path, "..", "images"), name);
    }

    private string Expected(string file) => System.IO.Path.Combine(Path, "expected", file);

    private static IReadOnlyList<ParityPrompt> ReadPrompts(string file) =>
        [.. ReadJson(file).EnumerateObject().Select(prompt => new ParityPrompt(
            prompt.Name,
            prompt.Value.GetProperty("text").GetString()!,
            [.. prompt.Value.GetProperty("images").EnumerateArray().Select(image => image.GetString()!)],
            [.. prompt.Value.GetProperty("input_ids").EnumerateArray().Select(id => id.GetInt32())],
            prompt.Value.TryGetProperty("image_sizes", out var sizes)
                ? [.. sizes.EnumerateArray().Select(size => (size[0].GetInt32(), size[1].GetInt32()))] : []))];

    private static JsonElement ReadJson(string file)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(file));
        return document.RootElement.Clone();
    }
}

/// <param name="InputIds">With the image token repeated for every feature.</param>
/// <param name="ImageSizes">(height, width) of each picture; empty where the model does not tile.</param>
internal sealed record ParityPrompt(string Name, string Text, IReadOnlyList<string> Images, int[] InputIds, IReadOnlyList<(int Height, int Width)> ImageSizes);
