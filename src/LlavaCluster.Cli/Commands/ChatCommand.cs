using System.CommandLine;
using LlavaCluster.Client;
using Llava.V1;
using Microsoft.Extensions.AI;
using Spectre.Console;
using ChatRole = Microsoft.Extensions.AI.ChatRole;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>llava chat</c>: one question, or a conversation where none is given.</summary>
internal sealed class ChatCommand(Terminal terminal)
{
    private readonly Argument<string?> _message = new("message") { Arity = ArgumentArity.ZeroOrOne, Description = "The question; without one, a conversation begins." };
    private readonly Option<string[]> _images = new("--image") { Description = "A picture to ask about; may be given more than once." };
    private readonly Option<string?> _model = new("--model") { Description = "Default: the first that the server lists." };

    public static Command Create(Terminal terminal) => new ChatCommand(terminal).Build();

    private Command Build()
    {
        var command = new Command("chat", "Ask a served model, with pictures.") { _message, _images, _model };
        new ServerCalls(terminal).Bind(command, RunAsync);
        return command;
    }

    private async Task RunAsync(ParseResult parsed, LlavaConnection connection, CancellationToken cancellationToken)
    {
        var pictures = new List<AIContent>();
        foreach (var path in parsed.GetValue(_images) ?? [])
        {
            pictures.Add(await PictureAsync(path, cancellationToken));
        }

        using var client = new LlavaChatClient(connection, parsed.GetValue(_model) ?? await FirstModelAsync(connection, cancellationToken));
        if (parsed.GetValue(_message) is { } question)
        {
            await AnswerAsync(client, [new ChatMessage(ChatRole.User, [.. pictures, new TextContent(question)])], cancellationToken);
            return;
        }

        await ConverseAsync(client, pictures, cancellationToken);
    }

    private async Task ConverseAsync(LlavaChatClient client, List<AIContent> pictures, CancellationToken cancellationToken)
    {
        const string ImageCommand = "/image ";
        if (terminal.Interactive)
        {
            terminal.Out.MarkupLine("[grey]/image FILE adds a picture to the next question; an empty line ends.[/]");
        }

        var history = new List<ChatMessage>();
        while (await ReadLineAsync(cancellationToken) is { Length: > 0 } line)
        {
            try
            {
                if (line.StartsWith(ImageCommand, StringComparison.Ordinal))
                {
                    pictures.Add(await PictureAsync(line[ImageCommand.Length..].Trim(), cancellationToken));
                    continue;
                }

                var asked = new ChatMessage(ChatRole.User, [.. pictures, new TextContent(line)]);
                var answer = await AnswerAsync(client, [.. history, asked], cancellationToken);
                history.AddRange([asked, new ChatMessage(ChatRole.Assistant, answer)]);
                pictures.Clear();
            }
            catch (Exception exception) when (terminal.Interactive && (exception is LlavaException or IOException or UnauthorizedAccessException))
            {
                // The conversation and the pictures that were to be asked about stay.
                terminal.Fail(exception.Message);
            }
        }
    }

    // The console's own reader notices a cancellation only with the next line.
    private async Task<string?> ReadLineAsync(CancellationToken cancellationToken)
    {
        if (terminal.Interactive)
        {
            terminal.Out.Markup("[bold]>[/] ");
        }

        return await Task.Run(terminal.In.ReadLine, CancellationToken.None).WaitAsync(cancellationToken);
    }

    private async Task<string> AnswerAsync(LlavaChatClient client, List<ChatMessage> messages, CancellationToken cancellationToken)
    {
        var answer = new System.Text.StringBuilder();
        await foreach (var update in client.GetStreamingResponseAsync(messages, cancellationToken: cancellationToken))
        {
            // Escape sequences in an answer must not steer the terminal.
            terminal.Out.Profile.Out.Writer.Write(string.Concat(update.Text.Where(c => !char.IsControl(c) || c is '\n' or '\t')));
            answer.Append(update.Text);
        }

        terminal.Out.WriteLine();
        return answer.ToString();
    }

    // The server reads the file's own header; the media type only says that it is a picture.
    private static async Task<DataContent> PictureAsync(string path, CancellationToken cancellationToken) => new(await File.ReadAllBytesAsync(path, cancellationToken), "image/*");

    private static async Task<string> FirstModelAsync(LlavaConnection connection, CancellationToken cancellationToken)
    {
        var served = await connection.Models.ListAsync(new ListModelsRequest(), cancellationToken: cancellationToken);
        return served.Models.Count > 0 ? served.Models[0].Name : throw new InvalidDataException("The server serves no model now; name one with --model.");
    }
}
