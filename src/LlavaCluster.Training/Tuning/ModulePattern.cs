using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;

namespace LlavaCluster.Training.Tuning;

/// <summary>
/// Which modules are meant, by PEFT's rules (peft, src/peft/tuners/tuners_utils.py, check_target_module_exists): a list of whole names or of ends of names at a dot, a
/// regular expression for the whole name, or <c>all-linear</c>. In JSON a list or a string.
/// </summary>
[JsonConverter(typeof(Converter))]
public sealed class ModulePattern : IEquatable<ModulePattern>
{
    private const string All = "all-linear";

    private readonly string[]? _ends;
    private readonly string _text;
    private readonly Regex? _expression;

    private ModulePattern(string[]? ends, string text, Regex? expression) => (_ends, _text, _expression) = (ends, text, expression);

    /// <summary>Every projection of the language model's layers. The head is not one of them.</summary>
    public static ModulePattern AllLinear { get; } = new(null, All, null);

    public bool IsAllLinear => _ends is null && _expression is null;

    public static ModulePattern Names(params IEnumerable<string> ends) => new([.. ends], "", null);

    /// <summary>A regular expression, or <c>all-linear</c>.</summary>
    /// <exception cref="ArgumentException">It is neither; look-around and back-references are not taken, for matching must take linear time.</exception>
    public static ModulePattern Expression(string text)
    {
        if (text == All)
        {
            return AllLinear;
        }

        try
        {
            return new(null, text, new Regex($"^(?:{text})$", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking));
        }
        catch (Exception exception) when (exception is ArgumentException or NotSupportedException)
        {
            throw new ArgumentException($"must be a list of names, all-linear or a regular expression without look-around and back-references; was \"{text}\".", exception);
        }
    }

    /// <param name="names">What the module is called in each generation of checkpoints; one that fits is enough.</param>
    public bool Fits(IReadOnlyList<string> names) => _ends is null
        ? names.Any(name => _expression is null || _expression.IsMatch(name))
        : _ends.Any(end => names.Any(name => name == end || name.EndsWith("." + end, StringComparison.Ordinal)));

    public override string ToString() => _ends is null ? _text : string.Join(", ", _ends);

    public bool Equals(ModulePattern? other) => other is not null && (_ends is null ? other._ends is null && _text == other._text : other._ends is not null && _ends.SequenceEqual(other._ends));

    public override bool Equals(object? other) => Equals(other as ModulePattern);

    public override int GetHashCode() => ToString().GetHashCode(StringComparison.Ordinal);

    private sealed class Converter : JsonConverter<ModulePattern>
    {
        public override ModulePattern Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options)
        {
            try
            {
                return reader.TokenType == JsonTokenType.String ? Expression(reader.GetString()!) : Names(JsonSerializer.Deserialize<string[]>(ref reader, options) ?? []);
            }
            catch (ArgumentException exception)
            {
                throw new JsonException("A pattern of modules " + exception.Message, exception);
            }
        }

        public override void Write(Utf8JsonWriter writer, ModulePattern value, JsonSerializerOptions options)
        {
            if (value._ends is null)
            {
                writer.WriteStringValue(value._text);
            }
            else
            {
                JsonSerializer.Serialize(writer, value._ends, options);
            }
        }
    }
}
