using System.Text.Json;
using LlavaCluster.Training.Scenes;
using SkiaSharp;

namespace LlavaCluster.Training.Tests.Scenes;

public sealed class SceneDatasetTests : IDisposable
{
    private const int Count = 12;
    private readonly string _folder = Path.Combine(Path.GetTempPath(), "scenes-" + Guid.NewGuid().ToString("N"));
    private readonly SceneDataset _dataset = new(DrawnArtwork.Renderer, new RuleTeacher(DrawnArtwork.Classes));

    public void Dispose()
    {
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    [Fact]
    public async Task ExportAsync_WritesPicturesAndCocoAnnotationsThatBelongTogether()
    {
        await ExportAsync();

        using var coco = Read(SceneDataset.AnnotationFile);
        var images = coco.RootElement.GetProperty("images").EnumerateArray().ToList();
        Assert.Equal(Count, images.Count);
        Assert.Equal(Count * 5, coco.RootElement.GetProperty("captions").GetArrayLength());
        Assert.Equal(DrawnArtwork.Classes.Count, coco.RootElement.GetProperty("categories").GetArrayLength());
        for (var index = 0; index < Count; index++)
        {
            var scene = DrawnArtwork.Renderer.Render(SceneKey.Create(SceneSplit.Validation, 9, index));
            using var bitmap = SKBitmap.Decode(Path.Combine(_folder, images[index].GetProperty("file_name").GetString()!));
            Assert.Equal(new SKColor(scene.Pixels[0], scene.Pixels[1], scene.Pixels[2]), bitmap.GetPixel(0, 0));
            Assert.Equal(scene.Annotation.Instances.Select(Describe), Boxes(coco, index + 1));
        }
    }

    [Fact]
    public async Task ExportAsync_WritesLlavaConversationsWithOneImageMarkerInTheFirstTurn()
    {
        await ExportAsync();

        foreach (var (file, turns) in new[] { (SceneDataset.ConversationFile, 2), (SceneDataset.CaptionFile, 2) })
        {
            using var data = Read(file);
            foreach (var item in data.RootElement.EnumerateArray())
            {
                Assert.True(File.Exists(Path.Combine(_folder, item.GetProperty("image").GetString()!)));
                var conversation = item.GetProperty("conversations").EnumerateArray().ToList();
                Assert.True(conversation.Count >= turns && conversation.Count % 2 == 0);
                Assert.Equal(conversation.Select((_, index) => index % 2 == 0 ? "human" : "gpt"), conversation.Select(turn => turn.GetProperty("from").GetString()));
                Assert.Equal(
                    conversation.Select((_, index) => index == 0),
                    conversation.Select(turn => turn.GetProperty("value").GetString()!.Contains("<image>", StringComparison.Ordinal)));
            }

            Assert.Contains("<image>\\n", File.ReadAllText(Path.Combine(_folder, file)), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task ExportAsync_WhenTheFolderHoldsFiles_RefusesAndTouchesNothing()
    {
        Directory.CreateDirectory(_folder);
        await File.WriteAllTextAsync(Path.Combine(_folder, "mine.txt"), "x", TestContext.Current.CancellationToken);

        var error = await Assert.ThrowsAsync<ArgumentException>(ExportAsync);

        Assert.Equal($"out must be an empty or new folder; '{_folder}' holds files.", error.Message);
        Assert.Single(Directory.EnumerateFileSystemEntries(_folder));
    }

    [Fact]
    public async Task ExportAsync_WhenCountIsZero_NamesTheBound()
    {
        var options = new SceneExportOptions { Directory = _folder, Count = 0 };

        var error = await Assert.ThrowsAsync<ArgumentException>(() => _dataset.ExportAsync(options, null, TestContext.Current.CancellationToken));

        Assert.Equal("count must be between 1 and 5000000; was 0.", error.Message);
    }

    private Task ExportAsync() => _dataset.ExportAsync(
        new SceneExportOptions { Directory = _folder, Count = Count, Seed = 9, Split = SceneSplit.Validation }, null, TestContext.Current.CancellationToken);

    private JsonDocument Read(string file) => JsonDocument.Parse(File.ReadAllText(Path.Combine(_folder, file)));

    private static string Describe(SceneInstance instance) =>
        $"{DrawnArtwork.Classes.IndexOf(instance.Category) + 1} [{instance.Box.X},{instance.Box.Y},{instance.Box.Width},{instance.Box.Height}]";

    private static IEnumerable<string> Boxes(JsonDocument coco, int image) => coco.RootElement.GetProperty("annotations").EnumerateArray()
        .Where(item => item.GetProperty("image_id").GetInt32() == image)
        .Select(item => $"{item.GetProperty("category_id").GetInt32()} {item.GetProperty("bbox").GetRawText()}");
}
