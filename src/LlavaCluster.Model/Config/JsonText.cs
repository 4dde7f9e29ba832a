using System.Text.Json;

namespace LlavaCluster.Model.Config;

/// <summary>JSON that strangers wrote, before anything reads its strings.</summary>
public static class JsonText
{
    /// <summary>Reads every name and string once: an escaped half of a surrogate pair is valid JSON and no text, and whoever met it later would throw.</summary>
    /// <exception cref="InvalidOperationException">One of them is no text.</exception>
    public static void Require(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.String:
                _ = element.GetString();
                break;
            case JsonValueKind.Array:
                foreach (var item in element.EnumerateArray())
                {
                    Require(item);
                }

                break;
            case JsonValueKind.Object:
                foreach (var property in element.EnumerateObject())
                {
                    _ = property.Name;
                    Require(property.Value);
                }

                break;
        }
    }
}
