using System.Text.Json;
using System.Text.Json.Serialization;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Storage;

/// <summary>Records as text in a store: enums by name, identifiers as they print, so that a person can read them and a later version too.</summary>
internal static class StoredJson
{
    private static readonly JsonSerializerOptions Options = new()
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals, // a loss may be NaN
        Converters =
        {
            new JsonStringEnumConverter(),
            new Printed<TenantId>(TenantId.Parse),
            new Printed<ObjectId>(ObjectId.Parse),
            new Printed<TrainingJobKey>(TrainingJobKey.Parse),
        },
    };

    public static string Write<T>(T record) => JsonSerializer.Serialize(record, Options);

    /// <exception cref="InvalidDataException">The text is no such record.</exception>
    public static T Read<T>(string text)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(text, Options) ?? throw new InvalidDataException($"A stored {typeof(T).Name} is null.");
        }
        catch (Exception fault) when (fault is JsonException or FormatException)
        {
            throw new InvalidDataException($"A stored {typeof(T).Name} cannot be read: {fault.Message}", fault);
        }
    }

    private sealed class Printed<T>(Func<string, T> parse) : JsonConverter<T>
        where T : struct
    {
        public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => parse(reader.GetString() ?? "");

        public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
    }
}
