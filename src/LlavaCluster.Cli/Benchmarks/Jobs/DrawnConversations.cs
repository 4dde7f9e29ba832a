using System.IO.Compression;
using System.Text.Json;
using LlavaCluster.Cli.Benchmarks.Load;

namespace LlavaCluster.Cli.Benchmarks.Jobs;

/// <summary>Something to train on where a server's work is measured and not what it learns: drawn pictures, each with a question and an answer as long as the usual ones. Owns its folder.</summary>
internal sealed class DrawnConversations : IDisposable
{
    private const int DrawnPictures = 64, Many = 1024, Few = 32;
    private const string Answer = "The picture shows discs of several sizes and colours, some of them before the others; the largest lies near the middle, and the smaller ones are around it.";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("llava-drawn-");

    public DrawnConversations(LoadPictures pictures)
    {
        using (var zip = ZipFile.Open(Pictures, ZipArchiveMode.Create))
        {
            for (var i = 0; i < DrawnPictures; i++)
            {
                var url = pictures[i];
                using var entry = zip.CreateEntry($"{i}.png", CompressionLevel.NoCompression).Open();
                entry.Write(Convert.FromBase64String(url[(url.IndexOf(',', StringComparison.Ordinal) + 1)..]));
            }
        }

        Write(ManyRecords, Many);
        Write(FewRecords, Few);
    }

    /// <summary>For a job that is to go on as long as others look.</summary>
    public string ManyRecords => Path.Combine(_folder.FullName, "many.json");

    /// <summary>For one that is to end.</summary>
    public string FewRecords => Path.Combine(_folder.FullName, "few.json");

    /// <summary>A zip.</summary>
    public string Pictures => Path.Combine(_folder.FullName, "pictures.zip");

    public void Dispose() => _folder.Delete(recursive: true);

    private static void Write(string file, int records) => File.WriteAllBytes(file, JsonSerializer.SerializeToUtf8Bytes(Enumerable.Range(0, records).Select(i => new
    {
        id = $"{i}",
        image = $"{i % DrawnPictures}.png",
        conversations = new[] { new { from = "human", value = "<image>\nWhat does the picture show?" }, new { from = "gpt", value = Answer } },
    })));
}
