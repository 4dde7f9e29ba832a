using System.CommandLine;
using System.Text.Json;
using LlavaCluster.Cli.Benchmarks.Comparison;
using LlavaCluster.Cli.Tuning;
using LlavaCluster.Model.Weights;

namespace LlavaCluster.Cli.Commands;

/// <summary>The server that a command measures: one that runs, or one that is started for it and stopped after it.</summary>
internal sealed class MeasuredServer(Terminal terminal)
{
    private static readonly TimeSpan ReadyWithin = TimeSpan.FromMinutes(5);

    private readonly ServerAddress _address = new();
    private readonly Option<string?> _command = new("--serve") { Description = "The command that starts the server, for /bin/sh; it listens at --url. Default: one that runs there." };

    /// <param name="measure">Measures over a connection to the server's root, without a timeout of its own, and gives the exit code.</param>
    public void Bind(Command command, Func<ParseResult, HttpClient, CancellationToken, Task<int>> measure)
    {
        _address.AddTo(command);
        command.Add(_command);
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed, measure, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parsed, Func<ParseResult, HttpClient, CancellationToken, Task<int>> measure, CancellationToken cancellationToken)
    {
        if (!_address.TryGet(parsed, out var address, out var refusal))
        {
            return terminal.Fail(refusal);
        }

        using var http = _address.Connect(parsed, address);
        try
        {
            await using var server = parsed.GetValue(_command) is { } command ? await ServerProcess.StartAsync(command, http, ReadyWithin, TimeProvider.System, cancellationToken) : null;
            return await measure(parsed, http, cancellationToken);
        }
        catch (Exception exception) when (exception is TuningApiException or HttpRequestException or IOException or InvalidDataException or UnauthorizedAccessException or JsonException or CheckpointException)
        {
            return terminal.Fail(exception.Message);
        }
    }
}
