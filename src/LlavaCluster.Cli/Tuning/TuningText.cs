using System.Globalization;
using System.Text.Json.Nodes;

namespace LlavaCluster.Cli.Tuning;

/// <summary>Values of the API as people read them.</summary>
internal static class TuningText
{
    /// <param name="seconds">Since 1970; null: never.</param>
    public static string Time(JsonNode? seconds) => seconds is null ? "" : DateTimeOffset.FromUnixTimeSeconds((long)seconds).ToString("u", CultureInfo.InvariantCulture);

    /// <summary>A message of an event, which must not steer the terminal.</summary>
    public static string Message(JsonObject line) => string.Concat(((string?)line["message"] ?? "").Where(c => !char.IsControl(c)));

    public static string Number(JsonNode? value, string format) => value is null ? "" : ((double)value).ToString(format, CultureInfo.InvariantCulture);
}
