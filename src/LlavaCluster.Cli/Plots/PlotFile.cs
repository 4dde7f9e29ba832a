using System.CommandLine;
using ScottPlot;

namespace LlavaCluster.Cli.Plots;

/// <summary>How every plot of this program looks and where it goes.</summary>
internal static class PlotFile
{
    private const int Width = 900, Height = 540;
    private const string Font = "Source Sans 3"; // comes with the program: a server often has no font at all

    static PlotFile()
    {
        var file = Path.Combine(AppContext.BaseDirectory, "Fonts", "SourceSans3-Regular.ttf");
        Fonts.AddFontFile(Font, file);
        Fonts.AddFontFile(Font, file, bold: true); // titles and the axes' names are bold, and without a face for it they are not drawn
        Fonts.Default = Font;
    }

    /// <summary>An empty plot, in the program's font.</summary>
    public static Plot Begin() => new();

    /// <summary>Whether a plot can be written under this name.</summary>
    public static bool Takes(string file) => IsSvg(file) || file.EndsWith(".png", StringComparison.OrdinalIgnoreCase);

    /// <summary>An option for such a file.</summary>
    public static Option<string?> Option(string name, string description)
    {
        var option = new Option<string?>(name) { Description = description };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string?>() is { } file && !Takes(file))
            {
                result.AddError($"{name} must end in .svg or .png; was \"{file}\".");
            }
        });
        return option;
    }

    /// <exception cref="IOException">It cannot be written.</exception>
    public static void Save(Plot plot, string file)
    {
        if (IsSvg(file))
        {
            plot.SaveSvg(file, Width, Height);
        }
        else
        {
            plot.SavePng(file, Width, Height);
        }
    }

    private static bool IsSvg(string file) => file.EndsWith(".svg", StringComparison.OrdinalIgnoreCase);
}
