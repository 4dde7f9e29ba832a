using System.Buffers.Text;

namespace LlavaCluster.Gateway.Images;

/// <summary>Base64 data URLs (RFC 2397), the form in which OpenAI's clients send pictures.</summary>
internal static class DataUrl
{
    public static bool Is(string url) => url.StartsWith("data:", StringComparison.OrdinalIgnoreCase);

    /// <summary>The decoded bytes; null if it is not base64 or not well formed. The named media type is not believed.</summary>
    public static byte[]? Decode(string url)
    {
        var comma = url.IndexOf(',', StringComparison.Ordinal);
        if (comma < 0 || !url.AsSpan(0, comma).EndsWith(";base64", StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        var text = url.AsSpan(comma + 1);
        var bytes = new byte[Base64.GetMaxDecodedFromUtf8Length(text.Length)];
        return Convert.TryFromBase64Chars(text, bytes, out var written) ? bytes.AsSpan(0, written).ToArray() : null;
    }
}
