using System.Text.Json;
using LlavaCluster.Model.Imaging;
using LlavaCluster.Model.Weights;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Model.Tests.Imaging;

/// <summary>The pictures of tests/goldens/images and what Pillow makes of them.</summary>
internal static class GoldenImages
{
    public static IReadOnlyList<string> Names { get; } = ReadNames();

    public static byte[] File(string name) => System.IO.File.ReadAllBytes(Goldens.Path("images", name + ".png"));

    /// <summary>As Pillow decodes it.</summary>
    public static RgbImage Decoded(string name)
    {
        using var file = SafetensorsFile.Open(Goldens.Path("images", "decoded_rgb.safetensors"));
        var shape = file.Tensors[name].Shape;
        return new RgbImage((int)shape[1], (int)shape[0], file.Bytes(name).ToArray());
    }

    private static string[] ReadNames()
    {
        using var json = JsonDocument.Parse(System.IO.File.ReadAllBytes(Goldens.Path("images", "images.json")));
        return [.. json.RootElement.EnumerateObject().Select(image => image.Name)];
    }
}
