using System.Text;
using System.Text.Json;

namespace LlavaCluster.Gateway.Files;

/// <summary>What a training file's first bytes say: enough to tell a mistake at once. Whether all of it is right the trainer finds out.</summary>
internal static class TrainingFileHead
{
    /// <summary>As many bytes are looked at.</summary>
    public const int Length = 4096;

    private const int MostDepth = 64;

    /// <summary>Null for a file that is none of those.</summary>
    public static TrainingFileKind? KindOf(ReadOnlySpan<byte> head)
    {
        if (head.StartsWith("PK\x03\x04"u8) || head.StartsWith("PK\x05\x06"u8))
        {
            return TrainingFileKind.Zip;
        }

        return head.TrimStart(" \t\r\n"u8) is [(byte)'[' or (byte)'{', ..] ? TrainingFileKind.Conversations : null;
    }

    /// <summary>The broken rule; null if none is.</summary>
    /// <param name="isWhole">Whether the file has no more bytes.</param>
    public static string? Problem(ReadOnlySpan<byte> head, bool isWhole)
    {
        if (head.IsEmpty)
        {
            return "must not be empty.";
        }

        return KindOf(head) switch
        {
            TrainingFileKind.Zip => head.StartsWith("PK\x05\x06"u8) ? "must hold pictures; the zip holds no file." : null,
            TrainingFileKind.Conversations => JsonProblem(head, isWhole),
            _ when head.StartsWith(Encoding.UTF8.Preamble) => "must be UTF-8 without a byte order mark; it begins with one.",
            _ => $"must be a JSON array ('['), JSON lines ('{{') or a zip ('PK'); it begins with {Show(head)}.",
        };
    }

    private static string? JsonProblem(ReadOnlySpan<byte> head, bool isWhole)
    {
        var reader = new Utf8JsonReader(head, isWhole, new JsonReaderState(new JsonReaderOptions { AllowMultipleValues = true, MaxDepth = MostDepth }));
        try
        {
            while (reader.Read())
            {
                // Reading is the check.
            }

            return null;
        }
        catch (JsonException fault)
        {
            return $"must be JSON of at most {MostDepth} levels; it is not, at line {fault.LineNumber + 1}, byte {fault.BytePositionInLine}.";
        }
    }

    private static string Show(ReadOnlySpan<byte> head) => Convert.ToHexString(head[..Math.Min(head.Length, 4)]);
}

internal enum TrainingFileKind
{
    /// <summary>A JSON array or JSON lines.</summary>
    Conversations,

    /// <summary>Pictures that conversations name.</summary>
    Zip,
}
