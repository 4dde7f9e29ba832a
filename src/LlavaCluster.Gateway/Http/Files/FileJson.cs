using System.Text.Json.Nodes;
using LlavaCluster.Gateway.Files;
using LlavaCluster.Pictures;
using LlavaCluster.Storage.Files;

namespace LlavaCluster.Gateway.Http.Files;

/// <summary>OpenAI's file object.</summary>
internal static class FileJson
{
    /// <param name="picture">What a picture's header says; null for what is none, or was not looked at.</param>
    public static JsonObject Of(StoredFile file, ImageHeader? picture = null)
    {
        var body = new JsonObject
        {
            ["id"] = FileId.Of(file.Id),
            ["object"] = "file",
            ["bytes"] = file.Bytes,
            ["created_at"] = file.CreatedAt.ToUnixTimeSeconds(),
            ["filename"] = file.Name,
            ["purpose"] = file.Purpose,
            ["status"] = "processed",
        };
        if (picture is not null)
        {
            (body["width"], body["height"]) = (picture.Width, picture.Height);
        }

        return body;
    }
}
