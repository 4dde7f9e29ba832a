using System.CommandLine;
using Grpc.Core;
using LlavaCluster.Client;

namespace LlavaCluster.Cli.Commands;

/// <summary>What every command that talks to a server shares: where it is, the key, and how its failures are shown.</summary>
internal sealed class ServerCalls(Terminal terminal)
{
    private readonly ServerAddress _server = new();

    public void Bind(Command command, Func<ParseResult, LlavaConnection, CancellationToken, Task> action)
    {
        _server.AddTo(command);
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed, action, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parsed, Func<ParseResult, LlavaConnection, CancellationToken, Task> action, CancellationToken cancellationToken)
    {
        if (!_server.TryGet(parsed, out var address, out var refusal))
        {
            return terminal.Fail(refusal);
        }

        using var connection = new LlavaConnection(address, _server.Key(parsed));
        try
        {
            await action(parsed, connection, cancellationToken);
            return 0;
        }
        catch (RpcException fault)
        {
            return terminal.Fail(LlavaException.From(fault).Message);
        }
        catch (Exception exception) when (exception is LlavaException or IOException or UnauthorizedAccessException or InvalidDataException)
        {
            return terminal.Fail(exception.Message);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return 130;
        }
    }
}
