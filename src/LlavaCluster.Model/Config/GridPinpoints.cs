using System.Text.Json;
using System.Text.RegularExpressions;

namespace LlavaCluster.Model.Config;

/// <summary>Candidate resolutions as config files write them: a list of pairs, or the same list as text.</summary>
internal static partial class GridPinpoints
{
    /// <summary>The pairs in their order, or null where the value is something else. Which of a pair is the height is the caller's to know.</summary>
    public static (int First, int Second)[]? Parse(JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.String)
        {
            return ParseText(value.GetString()!);
        }

        if (value.ValueKind != JsonValueKind.Array)
        {
            return null;
        }

        var pairs = new List<(int, int)>();
        foreach (var item in value.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Array || item.GetArrayLength() != 2 || Side(item[0]) is not { } first || Side(item[1]) is not { } second)
            {
                return null;
            }

            pairs.Add((first, second));
        }

        return [.. pairs];
    }

    private static int? Side(JsonElement value) => value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var side) && side > 0 ? side : null;

    private static (int, int)[]? ParseText(string text) => ListText().IsMatch(text)
        ? [.. Pair().Matches(text).Select(pair => (int.Parse(pair.Groups[1].ValueSpan), int.Parse(pair.Groups[2].ValueSpan)))]
        : null;

    [GeneratedRegex(@"^\s*\[\s*([\[(]\s*[1-9]\d{0,5}\s*,\s*[1-9]\d{0,5}\s*[\])]\s*,?\s*)+\]\s*$")]
    private static partial Regex ListText();

    [GeneratedRegex(@"(\d+)\s*,\s*(\d+)")]
    private static partial Regex Pair();
}
