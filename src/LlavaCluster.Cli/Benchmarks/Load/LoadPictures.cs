using SkiaSharp;

namespace LlavaCluster.Cli.Benchmarks.Load;

/// <summary>Pictures as data URLs: files in turn, or drawn discs, another picture for every number. Thread-safe.</summary>
internal sealed class LoadPictures
{
    private const int Width = 448, Height = 336, Discs = 12;

    private readonly IReadOnlyList<string> _files;
    private readonly LoadOptions _options;

    /// <exception cref="IOException">A file cannot be read.</exception>
    public LoadPictures(LoadOptions options)
    {
        _files = [.. options.Files.Select(file => Url(Type(file), File.ReadAllBytes(file)))];
        _options = options;
    }

    public string this[int number] => _files.Count > 0 ? _files[number % _files.Count] : Url("image/png", Draw(_options.Draws(number)));

    private static byte[] Draw(Random random)
    {
        using var bitmap = new SKBitmap(Width, Height);
        using (var canvas = new SKCanvas(bitmap))
        {
            canvas.Clear(Colour(random));
            for (var i = 0; i < Discs; i++)
            {
                using var paint = new SKPaint { Color = Colour(random) };
                canvas.DrawCircle(random.Next(Width), random.Next(Height), random.Next(Height / 16, Height / 4), paint);
            }
        }

        using var data = bitmap.Encode(SKEncodedImageFormat.Png, 100);
        return data.ToArray();
    }

    private static SKColor Colour(Random random) => new((byte)random.Next(256), (byte)random.Next(256), (byte)random.Next(256));

    private static string Type(string file) => Path.GetExtension(file).ToUpperInvariant() switch
    {
        ".JPG" or ".JPEG" => "image/jpeg",
        ".WEBP" => "image/webp",
        ".GIF" => "image/gif",
        _ => "image/png", // servers look at the bytes
    };

    private static string Url(string type, byte[] bytes) => $"data:{type};base64,{Convert.ToBase64String(bytes)}";
}
