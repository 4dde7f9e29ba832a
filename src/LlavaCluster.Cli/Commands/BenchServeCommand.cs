using System.CommandLine;
using LlavaCluster.Cli.Benchmarks.Load;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>llava bench serve</c>: asks a running server as its clients would.</summary>
internal static class BenchServeCommand
{
    public static Command Create(Terminal terminal)
    {
        var (server, load) = (new ServerAddress(), new LoadMeasurement());
        var model = new Option<string?>("--model") { Description = "Its name there; the first that the server names, unless given." };
        var command = new Command("serve", "Load on a running server, ours or another that speaks OpenAI's chat completions: throughput, times to first and further tokens, goodput.") { model };
        load.AddTo(command);
        server.AddTo(command);
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed, terminal, server, parsed.GetValue(model), load, cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, Terminal terminal, ServerAddress server, string? model, LoadMeasurement load, CancellationToken cancellationToken)
    {
        if (!server.TryGet(parsed, out var address, out var refusal))
        {
            return terminal.Fail(refusal);
        }

        try
        {
            using var http = server.Connect(parsed, address);
            var options = load.Options(parsed);
            var target = new LoadClient(http, model ?? await LoadClient.FirstModelAsync(http, cancellationToken), options);
            return await load.RunAsync(parsed, terminal, options, target, cancellationToken);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or InvalidDataException or UnauthorizedAccessException or System.Text.Json.JsonException)
        {
            return terminal.Fail(exception.Message);
        }
    }
}
