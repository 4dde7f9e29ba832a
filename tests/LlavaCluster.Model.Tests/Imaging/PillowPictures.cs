using LlavaCluster.Model.Imaging;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Model.Tests.Imaging;

/// <summary>The files of tests/goldens/pictures and what Pillow makes of them; its README says how they were made.</summary>
internal static class PillowPictures
{
    private const string Expected = ".ppm";

    public static IReadOnlyList<string> Names { get; } =
        [.. Directory.GetFiles(Goldens.Path("pictures")).Select(path => Path.GetFileName(path)).Where(name => Path.GetExtension(name) is not (Expected or ".md")).Order(StringComparer.Ordinal)];

    public static byte[] File(string name) => System.IO.File.ReadAllBytes(Goldens.Path("pictures", name));

    public static RgbImage Decoded(string name) => Ppm(name + Expected);

    /// <summary>A binary PPM: "P6", width, height and 255 in text, then the bytes.</summary>
    public static RgbImage Ppm(string name)
    {
        var file = File(name);
        var (numbers, at) = (new List<int>(), 2);
        while (numbers.Count < 3)
        {
            var end = Array.FindIndex(file, at + 1, value => value is (byte)' ' or (byte)'\n');
            numbers.Add(int.Parse(file.AsSpan(at + 1, end - at - 1), provider: null));
            at = end;
        }

        return new RgbImage(numbers[0], numbers[1], file[(at + 1)..]);
    }
}
