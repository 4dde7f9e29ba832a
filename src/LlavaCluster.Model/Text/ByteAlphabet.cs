namespace LlavaCluster.Model.Text;

/// <summary>GPT-2's way to write any byte as a printable character, so that a vocabulary of bytes can be kept as text (openai/gpt-2: src/encoder.py, bytes_to_unicode).</summary>
internal static class ByteAlphabet
{
    private const int FirstSubstitute = 256;

    private static readonly char[] Letters = Build();
    private static readonly Dictionary<char, byte> Values = Letters.Index().ToDictionary(entry => entry.Item, entry => (byte)entry.Index);

    /// <summary>The character of each byte.</summary>
    public static IReadOnlyList<char> Characters => Letters;

    public static string Write(ReadOnlySpan<byte> bytes)
    {
        Span<char> text = stackalloc char[bytes.Length <= 512 ? bytes.Length : 0];
        text = bytes.Length <= 512 ? text : new char[bytes.Length];
        for (var i = 0; i < bytes.Length; i++)
        {
            text[i] = Letters[bytes[i]];
        }

        return text.ToString();
    }

    /// <summary>The bytes, or null where a character is not of the alphabet.</summary>
    public static byte[]? Read(string text)
    {
        var bytes = new byte[text.Length];
        for (var i = 0; i < bytes.Length; i++)
        {
            if (!Values.TryGetValue(text[i], out bytes[i]))
            {
                return null;
            }
        }

        return bytes;
    }

    private static char[] Build()
    {
        var letters = new char[256];
        var substitute = FirstSubstitute;
        for (var value = 0; value < letters.Length; value++)
        {
            var isPrintable = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE;
            letters[value] = isPrintable ? (char)value : (char)substitute++;
        }

        return letters;
    }
}
