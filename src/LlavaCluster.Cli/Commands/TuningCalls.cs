using System.CommandLine;
using System.Text.Json;
using LlavaCluster.Cli.Tuning;

namespace LlavaCluster.Cli.Commands;

/// <summary>What the commands of files, jobs and adapters share: where the server is, the key, and how failures are shown.</summary>
internal sealed class TuningCalls(Terminal terminal)
{
    private readonly ServerAddress _server = new();

    /// <param name="action">Gives the exit code.</param>
    public Command Bind(Command command, Func<ParseResult, TuningApi, CancellationToken, Task<int>> action)
    {
        _server.AddTo(command);
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed, action, cancellationToken));
        return command;
    }

    private async Task<int> RunAsync(ParseResult parsed, Func<ParseResult, TuningApi, CancellationToken, Task<int>> action, CancellationToken cancellationToken)
    {
        if (!_server.TryGet(parsed, out var address, out var refusal))
        {
            return terminal.Fail(refusal);
        }

        using var http = _server.Connect(parsed, address);
        try
        {
            return await action(parsed, new TuningApi(http, TimeProvider.System), cancellationToken);
        }
        catch (Exception exception) when (exception is TuningApiException or HttpRequestException or IOException or UnauthorizedAccessException or InvalidDataException or JsonException)
        {
            return terminal.Fail(exception.Message);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return 130;
        }
    }
}
