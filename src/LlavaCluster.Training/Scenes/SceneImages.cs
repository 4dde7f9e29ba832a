using System.Runtime.InteropServices;
using SkiaSharp;

namespace LlavaCluster.Training.Scenes;

/// <summary>Scenes as files.</summary>
public static class SceneImages
{
    /// <summary>A lossless PNG of the scene's pixels.</summary>
    public static byte[] EncodePng(Scene scene)
    {
        ArgumentNullException.ThrowIfNull(scene);
        var size = scene.Size;
        var rgba = new byte[size * size * 4];
        for (var index = 0; index < size * size; index++)
        {
            scene.Pixels.Slice(index * 3, 3).CopyTo(rgba.AsSpan(index * 4));
            rgba[index * 4 + 3] = 255;
        }

        var info = new SKImageInfo(size, size, SKColorType.Rgba8888, SKAlphaType.Opaque);
        var handle = GCHandle.Alloc(rgba, GCHandleType.Pinned);
        try
        {
            using var pixmap = new SKPixmap(info, handle.AddrOfPinnedObject());
            using var data = pixmap.Encode(SKEncodedImageFormat.Png, 100)
                ?? throw new InvalidOperationException($"Encoding a {size}x{size} PNG failed.");
            return data.ToArray();
        }
        finally
        {
            handle.Free();
        }
    }
}
