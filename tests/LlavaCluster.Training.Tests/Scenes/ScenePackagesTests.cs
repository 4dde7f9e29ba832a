using System.Formats.Tar;
using System.IO.Compression;
using LlavaCluster.Training.Scenes;

namespace LlavaCluster.Training.Tests.Scenes;

/// <summary>Everything about packages that needs no network: unpacking and the offline cache.</summary>
public sealed class ScenePackagesTests : IDisposable
{
    private readonly string _folder = Path.Combine(Path.GetTempPath(), "packages-" + Guid.NewGuid().ToString("N"));

    public ScenePackagesTests() => Directory.CreateDirectory(_folder);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task UnpackAsync_TakesThePictureFolderAndTopLevelFilesAndNothingOutside()
    {
        var archive = Path.Combine(_folder, "a.tgz");
        await WriteArchiveAsync(archive, "package/LICENSE", "package/img/64/1f436.png", "package/img/64/../../../evil", "package/lib/code.js", "elsewhere/x");
        var target = Path.Combine(_folder, "out");

        await ScenePackages.UnpackAsync(archive, "img/64", target, TestContext.Current.CancellationToken);

        var files = Directory.EnumerateFiles(_folder, "*", SearchOption.AllDirectories).Select(path => Path.GetRelativePath(_folder, path)).Order(StringComparer.Ordinal);
        Assert.Equal(["a.tgz", "out/LICENSE", "out/img/64/1f436.png"], files);
    }

    [Fact]
    public async Task LoadAsync_WhenThePackageIsCached_ReadsItWithoutNpm()
    {
        var artist = new SceneArtist("drawn", new("not-a-package", "1.0.0", "sha512-none"), new PictureFiles("img", ".png"), "CC0-1.0");
        var classes = new SceneClasses([SceneClasses.Default["dog"], SceneClasses.Default["spider"]]);
        var pictures = Path.Combine(_folder, "not-a-package-1.0.0", "img");
        Directory.CreateDirectory(pictures);
        await File.WriteAllBytesAsync(Path.Combine(pictures, "1f436.png"), [1], TestContext.Current.CancellationToken);
        await File.WriteAllBytesAsync(Path.Combine(pictures, "1f577.png"), [2], TestContext.Current.CancellationToken);

        var set = await new ScenePackages(_folder).LoadAsync(artist, classes, TestContext.Current.CancellationToken);

        Assert.Equal([1, 2], set.Pictures.SelectMany(picture => picture!.Value.ToArray()));
    }

    [Fact]
    public async Task LoadAsync_WhenAClassHasNoPicture_NamesPackageAndClass()
    {
        var artist = new SceneArtist("drawn", new("@scope/not-a-package", "1.0.0", "sha512-none"), new PictureFiles("img", ".png"), "CC0-1.0");
        Directory.CreateDirectory(Path.Combine(_folder, "scope-not-a-package-1.0.0"));

        var error = await Assert.ThrowsAsync<InvalidDataException>(
            () => new ScenePackages(_folder).LoadAsync(artist, SceneClasses.Default, TestContext.Current.CancellationToken));

        Assert.Equal("scope-not-a-package-1.0.0 has no picture for 'dog' (1F436).", error.Message);
    }

    [Fact]
    public async Task LoadAsync_OfVectorIcons_RasterisesThemAndLeavesOutWhatTheArtistNeverDrew()
    {
        var icons = new VectorIcons(new Dictionary<string, string> { ["dog"] = "doggy", ["spider"] = "" });
        var artist = new SceneArtist("vector", new("vectors", "1.0.0", "sha512-none"), icons, "CC0-1.0");
        var classes = new SceneClasses([SceneClasses.Default["dog"], SceneClasses.Default["spider"]]);
        Directory.CreateDirectory(Path.Combine(_folder, "vectors-1.0.0"));
        await File.WriteAllTextAsync(Path.Combine(_folder, "vectors-1.0.0", "icons.json"), """{"width":10,"height":20,"icons":{"doggy":{"width":20,"body":"<rect width=\"10\" height=\"20\" fill=\"#f00\"/>"}}}""", TestContext.Current.CancellationToken);

        var set = await new ScenePackages(_folder).LoadAsync(artist, classes, TestContext.Current.CancellationToken);

        Assert.Null(set.Pictures[1]);
        using var picture = SkiaSharp.SKBitmap.Decode(set.Pictures[0]!.Value.ToArray());
        Assert.Equal(SkiaSharp.SKColors.Red, picture.GetPixel(picture.Width / 4, picture.Height / 2));
        Assert.Equal(0, picture.GetPixel(picture.Width * 3 / 4, picture.Height / 2).Alpha);
    }

    [Fact]
    public void Load_WhenNobodyDrewAClass_NamesIt()
    {
        var error = Assert.Throws<ArgumentException>(() => ArtworkLibrary.Load(new SceneClasses([SceneClasses.Default["dog"]]), [new("drawn", [null])]));

        Assert.StartsWith("sets must hold a picture of every class; none of 'dog'.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_WhenAPictureIsNotOne_NamesArtistAndClass()
    {
        var classes = new SceneClasses([SceneClasses.Default["dog"]]);

        var error = Assert.Throws<InvalidDataException>(() => ArtworkLibrary.Load(classes, [new("drawn", [new byte[] { 1, 2, 3 }])]));

        Assert.Equal("The artwork 'drawn/dog' is no picture.", error.Message);
    }

    [Fact]
    public void Default_Classes_AreManyDistinctAndWellFormed()
    {
        var items = SceneClasses.Default.Items;

        Assert.Equal(96, items.Count);
        Assert.Equal(96, items.Select(item => item.Codepoints).Distinct().Count());
        Assert.All(items, item => Assert.Empty(item.Traits.Intersect(item.Unclear)));
        var names = items.SelectMany(item => item.Also.Prepend(item.Name)).ToList();
        Assert.Equal(names.Count, names.Distinct().Count());
    }

    private static async Task WriteArchiveAsync(string path, params string[] names)
    {
        await using var gzip = new GZipStream(File.Create(path), CompressionLevel.Fastest);
        await using var tar = new TarWriter(gzip);
        foreach (var name in names)
        {
            await tar.WriteEntryAsync(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream([7]) });
        }
    }
}
