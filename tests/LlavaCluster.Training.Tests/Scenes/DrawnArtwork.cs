using LlavaCluster.Training.Scenes;
using SkiaSharp;

namespace LlavaCluster.Training.Tests.Scenes;

/// <summary>Two tiny hand-drawn artists that stand in for the packages: one shape and colour per class, a different side each.</summary>
internal static class DrawnArtwork
{
    public static SceneClasses Classes { get; } = new([.. SceneClasses.Default.Items.Take(12)]);

    public static ArtworkLibrary Library { get; } = ArtworkLibrary.Load(Classes, [Set("round", round: true), Set("square", round: false)]);

    /// <summary>Opaque shapes, so that a drawn pixel is known by its colour alone.</summary>
    public static SceneRenderer PlainRenderer { get; } = new(Library, new SceneOptions { Jitter = false });

    public static SceneRenderer Renderer { get; } = new(Library);

    public static ArtworkSet Set(string name, bool round) =>
        new(name, [.. Enumerable.Range(0, Classes.Count).Select(index => (ReadOnlyMemory<byte>?)Draw(index, round))]);

    private static ReadOnlyMemory<byte> Draw(int index, bool round)
    {
        using var bitmap = new SKBitmap(64, 64);
        using var canvas = new SKCanvas(bitmap);
        using var paint = new SKPaint { Color = SKColor.FromHsv(index * 30, 90, 90) };
        canvas.Clear(SKColors.Transparent);
        if (round)
        {
            canvas.DrawOval(32, 32, 30, 14 + index, paint);
        }
        else
        {
            canvas.DrawRect(4, 12, 40 + index, 36, paint);
        }

        using var data = bitmap.Encode(SKEncodedImageFormat.Png, 100);
        return data.ToArray();
    }
}
