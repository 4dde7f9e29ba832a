using ScottPlot;

namespace LlavaCluster.Cli.Benchmarks;

/// <summary>How plots are written: with a font that comes with the program, for a server often has none at all.</summary>
internal static class PlotFile
{
    private const int Width = 900, Height = 540;
    private const string Font = "Source Sans 3";

    private static readonly Lazy<bool> OwnFont = new(() =>
    {
        var file = Path.Combine(AppContext.BaseDirectory, "Fonts", "SourceSans3-Regular.ttf");
        Fonts.AddFontFile(Font, file);
        Fonts.AddFontFile(Font, file, bold: true); // titles and the axes' names are bold, and without a face for it they are not drawn
        Fonts.Default = Font;
        return true;
    });

    /// <summary>Call it before a plot is made.</summary>
    public static void UseOwnFont() => _ = OwnFont.Value;

    /// <param name="file">Ends in .svg or .png.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static void Save(Plot plot, string file)
    {
        if (Path.GetExtension(file).Equals(".svg", StringComparison.OrdinalIgnoreCase))
        {
            plot.SaveSvg(file, Width, Height);
        }
        else
        {
            plot.SavePng(file, Width, Height);
        }
    }
}
