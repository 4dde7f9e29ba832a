using System.Globalization;
using System.Text.Json;
using SkiaSharp;
using Svg.Skia;

namespace LlavaCluster.Training.Scenes;

/// <summary>
/// Vector drawings in one file of Iconify's format (<c>icons.json</c>: per name the inside of an <c>svg</c> element, and the view box that all share unless they say
/// otherwise), rasterised here.
/// </summary>
/// <param name="Names">
/// Of the classes whose drawing is not called as their CLDR name is, in lower case with hyphens; an empty one for a class that the artist never drew, or drew as another thing
/// than the others did.
/// </param>
public sealed record VectorIcons(IReadOnlyDictionary<string, string> Names) : IArtworkSource
{
    private const string FileName = "icons.json";
    private const int Side = 128; // as large as artwork is ever kept

    public string? Folder => null;

    public IReadOnlyList<ReadOnlyMemory<byte>?> Load(string root, SceneClasses classes)
    {
        ArgumentNullException.ThrowIfNull(classes);
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(root, FileName)));
        return [.. classes.Items.Select(item => NameOf(item) is "" ? null : Draw(root, json.RootElement, NameOf(item), item))];
    }

    private string NameOf(SceneClass item) => Names.GetValueOrDefault(item.Name) ?? item.Cldr.Replace(' ', '-');

    private static ReadOnlyMemory<byte>? Draw(string root, JsonElement set, string name, SceneClass item)
    {
        if (!set.GetProperty("icons").TryGetProperty(name, out var icon))
        {
            throw new InvalidDataException($"{Path.GetFileName(root)} has no drawing \"{name}\" for '{item.Name}'.");
        }

        var (width, height) = (Measure("width"), Measure("height"));
        using var svg = new SKSvg();
        var picture = svg.FromSvg(string.Create(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">{icon.GetProperty("body").GetString()}</svg>"))
            ?? throw new InvalidDataException($"{Path.GetFileName(root)} has a drawing \"{name}\" that is no SVG.");
        using var bitmap = new SKBitmap(new SKImageInfo(Side, Side, SKColorType.Rgba8888, SKAlphaType.Premul));
        using (var canvas = new SKCanvas(bitmap))
        {
            canvas.Clear(SKColors.Transparent);
            canvas.Scale(Side / (float)Math.Max(width, height));
            canvas.DrawPicture(picture);
        }

        using var data = bitmap.Encode(SKEncodedImageFormat.Png, 100);
        return data.ToArray();

        double Measure(string side) => icon.TryGetProperty(side, out var own) || set.TryGetProperty(side, out own) ? own.GetDouble() : 16; // Iconify's own default
    }
}
