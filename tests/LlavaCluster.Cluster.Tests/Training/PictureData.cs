using System.IO.Compression;
using System.Text.Json;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Cluster.Tests.Training;

/// <summary>Conversations about the fixture's pictures, each of which has one answer, and the archive of these pictures.</summary>
internal static class PictureData
{
    private static readonly string[] Pictures = ["gray.png", "exact.png", "square.png", "tall.png"];

    public static byte[] Records(int count) => JsonSerializer.SerializeToUtf8Bytes(Enumerable.Range(0, count).Select(i => new
    {
        id = $"r{i}",
        image = Pictures[i % Pictures.Length],
        conversations = new[] { new { from = "human", value = "<image>\nWhat is it?" }, new { from = "gpt", value = $"Picture number {i % Pictures.Length}." } },
    }));

    public static byte[] Zip()
    {
        using var zip = new MemoryStream();
        using (var archive = new ZipArchive(zip, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var picture in Pictures)
            {
                archive.CreateEntryFromFile(Path.Combine(Goldens.Path("images"), picture), picture);
            }
        }

        return zip.ToArray();
    }
}
