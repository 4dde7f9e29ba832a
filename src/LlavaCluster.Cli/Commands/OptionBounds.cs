using System.CommandLine;
using System.Globalization;

namespace LlavaCluster.Cli.Commands;

/// <summary>Bounds of whole numbers on the command line.</summary>
internal static class OptionBounds
{
    /// <summary>A number of something.</summary>
    public static Option<int> Count(string name, int usual, int most, string description, int least = 1) =>
        new Option<int>(name) { DefaultValueFactory = _ => usual, Description = description }.Within(least, most);

    /// <summary>Refuses what lies outside, naming option, bounds and value; an option without a value passes.</summary>
    /// <typeparam name="T">int or int?.</typeparam>
    public static Option<T> Within<T>(this Option<T> option, int least, int most)
    {
        option.Validators.Add(result =>
        {
            // Text that is no whole number has no value to ask for.
            var text = result.Tokens is [var token] ? token.Value : null;
            if (text is not null && !int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _))
            {
                result.AddError($"{option.Name} must be a whole number from {least} to {most}; was \"{text}\".");
            }
            else if (result.GetValueOrDefault<T>() is int value && (value < least || value > most))
            {
                result.AddError($"{option.Name} must be from {least} to {most}; was {value}.");
            }
        });
        return option;
    }
}
