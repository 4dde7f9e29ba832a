using System.Text.Encodings.Web;
using System.Text.Json;

namespace LlavaCluster.Gateway.Http;

/// <summary>How this gateway writes JSON: snake_case names, text as itself (the content type is never HTML).</summary>
internal static class Json
{
    public static JsonSerializerOptions Options { get; } = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };
}
