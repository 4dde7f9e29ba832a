using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>--out</c>, of every command that measures.</summary>
internal sealed class ReportFile
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true, Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) } };

    public Option<string?> Option { get; } = new("--out") { Description = "A JSON file for every figure." };

    /// <summary>Writes a report where a file was asked for.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public async Task WriteAsync<T>(ParseResult parsed, T report, CancellationToken cancellationToken)
    {
        if (parsed.GetValue(Option) is { } file)
        {
            await using var stream = File.Create(file);
            await JsonSerializer.SerializeAsync(stream, report, Json, cancellationToken);
        }
    }
}
