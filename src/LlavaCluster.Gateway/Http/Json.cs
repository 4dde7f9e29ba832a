using System.Text.Encodings.Web;
using System.Text.Json;

namespace LlavaCluster.Gateway.Http;

/// <summary>How this gateway writes JSON: snake_case names, text as itself (the content type is never HTML).</summary>
internal static class Json
{
    public static JsonSerializerOptions Options { get; } = new(JsonSerializerDefaults.Web)
    {
        // A schema may be as deep as a body, and an answer that tells of it has some levels around it.
        MaxDepth = 128,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };
}
