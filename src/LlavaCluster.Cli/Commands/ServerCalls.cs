using System.CommandLine;
using Grpc.Core;
using LlavaCluster.Client;

namespace LlavaCluster.Cli.Commands;

/// <summary>What every command that talks to a server shares: where it is, the key, and how its failures are shown.</summary>
internal sealed class ServerCalls(Terminal terminal)
{
    private readonly Option<string> _url = new("--url")
    {
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable("LLAVA_URL") ?? "http://127.0.0.1:8080",
        Description = "The server; default: LLAVA_URL, or this machine's.",
    };

    private readonly Option<string?> _key = new("--api-key") { Description = "Default: LLAVA_API_KEY, which other users of the machine cannot see in its process list." };

    public void Bind(Command command, Func<ParseResult, LlavaConnection, CancellationToken, Task> action)
    {
        command.Add(_url);
        command.Add(_key);
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed, action, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parsed, Func<ParseResult, LlavaConnection, CancellationToken, Task> action, CancellationToken cancellationToken)
    {
        var url = parsed.GetRequiredValue(_url);
        if (!Uri.TryCreate(url, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https"))
        {
            return terminal.Fail($"--url must be an http or https URL; was \"{url}\".");
        }

        using var connection = new LlavaConnection(address, parsed.GetValue(_key) ?? Environment.GetEnvironmentVariable("LLAVA_API_KEY"));
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
