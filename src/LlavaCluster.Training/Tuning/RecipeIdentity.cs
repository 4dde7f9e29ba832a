using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace LlavaCluster.Training.Tuning;

/// <summary>
/// A recipe's name for those who ask whether two are one: SHA-256 in hexadecimal of its fields in the order of their names, without those that have their default. So a field that is added to
/// recipes later changes no recipe's identity that does not use it, and a default must never change: another one is another field.
/// </summary>
internal static class RecipeIdentity
{
    private const string Version = "recipe/2\n";
    private const string Method = "method", Lora = "lora";

    public static string Of(TuningRecipe recipe)
    {
        var usual = Json(new TuningRecipe { Method = recipe.Method, Lora = recipe.Lora is null ? null : new LoraRecipe() });
        usual.Remove(Method); // has no default
        var text = new StringBuilder(Version);
        Append(text, "", Json(recipe), usual);
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    private static JsonObject Json(TuningRecipe recipe) => JsonNode.Parse(recipe.ToJson())!.AsObject();

    private static void Append(StringBuilder text, string of, JsonObject fields, JsonObject usual)
    {
        foreach (var (name, value) in fields.OrderBy(field => field.Key, StringComparer.Ordinal))
        {
            if (name == Lora && value is JsonObject lora)
            {
                Append(text, Lora + ".", lora, usual[Lora]!.AsObject());
            }
            else if (!usual.ContainsKey(name) || !JsonNode.DeepEquals(value, usual[name]))
            {
                text.Append(of).Append(name).Append('=').Append(value?.ToJsonString() ?? "null").Append('\n');
            }
        }
    }
}
