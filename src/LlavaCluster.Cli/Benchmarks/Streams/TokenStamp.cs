using System.Globalization;

namespace LlavaCluster.Cli.Benchmarks.Streams;

/// <summary>A time as a token's text: ticks of 100 ns and a space.</summary>
internal static class TokenStamp
{
    public static string Write(TimeSpan at) => string.Create(CultureInfo.InvariantCulture, $"{at.Ticks} ");

    /// <summary>The times of a text, in order. A stamp is whole or the text is not of this engine.</summary>
    /// <exception cref="FormatException">It is not.</exception>
    public static IEnumerable<TimeSpan> Read(string text) =>
        text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(ticks => TimeSpan.FromTicks(long.Parse(ticks, NumberStyles.None, CultureInfo.InvariantCulture)));
}
