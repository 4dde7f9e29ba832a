using System.CommandLine;
using LlavaCluster.Cli.Tuning;
using Spectre.Console;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>llava files</c>: files to train on, at a server.</summary>
internal sealed class FilesCommand(Terminal terminal)
{
    public static Command Create(Terminal terminal)
    {
        var files = new FilesCommand(terminal);
        return new Command("files", "Files to train on.") { files.Upload(), files.List(), files.Delete() };
    }

    /// <summary>Uploads a file to train on.</summary>
    /// <returns>Its id.</returns>
    public static async Task<string> UploadAsync(TuningApi api, string path, string purpose, CancellationToken cancellationToken) =>
        (string)(await api.UploadAsync("v1/files", File.OpenRead(path), Path.GetFileName(path), [new("purpose", purpose)], cancellationToken))["id"]!;

    private Command Upload()
    {
        var path = new Argument<string>("file") { Description = "A JSON array or JSON lines of conversations, or a zip of their pictures." };
        var purpose = new Option<string>("--purpose") { DefaultValueFactory = _ => "fine-tune", Description = "fine-tune, or vision for a picture." };
        return new TuningCalls(terminal).Bind(new Command("upload", "Upload a file; prints its id.") { path, purpose }, async (parsed, api, cancellationToken) =>
        {
            Plain(await UploadAsync(api, parsed.GetRequiredValue(path), parsed.GetRequiredValue(purpose), cancellationToken));
            return 0;
        });
    }

    private Command List()
    {
        var purpose = new Option<string?>("--purpose") { Description = "Only files for it." };
        return new TuningCalls(terminal).Bind(new Command("list", "A tenant's files, the latest first.") { purpose }, async (parsed, api, cancellationToken) =>
        {
            var table = new Table().AddColumns("id", "name", "purpose", "bytes", "uploaded");
            await foreach (var file in api.ListAsync(parsed.GetValue(purpose) is { } only ? $"v1/files?purpose={Uri.EscapeDataString(only)}" : "v1/files", cancellationToken))
            {
                table.AddRow(new Text((string)file["id"]!), new Text((string)file["filename"]!), new Text((string)file["purpose"]!), new Text($"{file["bytes"]}"), new Text(TuningText.Time(file["created_at"])));
            }

            terminal.Out.Write(table);
            return 0;
        });
    }

    private Command Delete()
    {
        var id = new Argument<string>("id") { Description = "As list shows it." };
        return new TuningCalls(terminal).Bind(new Command("delete", "Delete a file.") { id }, async (parsed, api, cancellationToken) =>
        {
            await api.DeleteAsync($"v1/files/{Uri.EscapeDataString(parsed.GetRequiredValue(id))}", cancellationToken);
            Plain("Deleted.");
            return 0;
        });
    }

    // A wrapped or styled id could not be copied.
    private void Plain(string line) => terminal.Out.Profile.Out.Writer.WriteLine(line);
}
