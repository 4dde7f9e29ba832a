using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using LlavaCluster.Cli.Tuning;
using Spectre.Console;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>llava adapters</c>: a tenant's adapters, their versions, and which of them answer.</summary>
internal sealed class AdaptersCommand(Terminal terminal)
{
    private const string Adapters = "v1/adapters";

    public static Command Create(Terminal terminal)
    {
        var adapters = new AdaptersCommand(terminal);
        return new Command("adapters", "Adapters of a tenant, and which of their versions answer.")
        {
            adapters.List(), adapters.Import(), adapters.Export(), adapters.Traffic(), adapters.RollBack(), adapters.Remove(),
        };
    }

    private static Argument<string> Name() => new("name") { Description = "The adapter's, 1 to 64 of a-z, 0-9, '-', '_'." };

    private static async Task<JsonObject> FindAsync(TuningApi api, string name, CancellationToken cancellationToken) =>
        (await api.GetAsync(Adapters, cancellationToken))["data"]!.AsArray().Select(adapter => adapter!.AsObject()).FirstOrDefault(adapter => (string?)adapter["name"] == name)
        ?? throw new InvalidDataException($"There is no adapter \"{name}\".");

    private Command List() => new TuningCalls(terminal).Bind(new Command("list", "Adapters with their versions, the latest first."), async (_, api, cancellationToken) =>
    {
        var table = new Table().AddColumns("model", "version", "traffic", "loss", "bytes", "made", "by");
        foreach (var adapter in (await api.GetAsync(Adapters, cancellationToken))["data"]!.AsArray())
        {
            foreach (var version in adapter!["versions"]!.AsArray())
            {
                table.AddRow(
                    new Text((string)adapter["id"]!),
                    new Text((string)version!["id"]!),
                    new Text(Share(adapter, (string)version["id"]!)),
                    new Text(TuningText.Number(version["adapter_loss"], "0.0000")),
                    new Text($"{version["bytes"]}"),
                    new Text(TuningText.Time(version["created_at"])),
                    new Text((string?)version["job"] ?? "import"));
            }
        }

        terminal.Out.Write(table);
        return 0;
    });

    private Command Import()
    {
        var file = new Argument<string>("file") { Description = "A folder as PEFT or LLaVA's own trainer writes it, or one safetensors file with adapter_config in its metadata." };
        var name = new Option<string>("--name") { Required = true, Description = "The adapter's; requests then ask for MODEL:NAME." };
        var model = new Option<string>("--model") { Required = true, Description = "Its base." };
        var share = new Option<double?>("--share") { Description = "Of the name's traffic, 0 to 1; a name without a version gives it all." };
        return new TuningCalls(terminal).Bind(new Command("import", "Bring an adapter that was trained elsewhere.") { file, name, model, share }, async (parsed, api, cancellationToken) =>
        {
            var path = parsed.GetRequiredValue(file);
            var fields = new Dictionary<string, string> { ["name"] = parsed.GetRequiredValue(name), ["model"] = parsed.GetRequiredValue(model) };
            if (parsed.GetValue(share) is { } part)
            {
                fields["share"] = part.ToString("R", CultureInfo.InvariantCulture);
            }

            Show(await api.UploadAsync(Adapters, AdapterPackage.Open(path), Path.GetFileName(path), fields, cancellationToken));
            return 0;
        });
    }

    private Command Export()
    {
        var name = Name();
        var version = new Option<string?>("--version") { Description = "Default: the one in use." };
        var output = new Option<string>("--out") { Required = true, Description = "The file to write; with --folder, PEFT's folder." };
        var folder = new Option<bool>("--folder") { Description = "Write a folder that PEFT loads." };
        return new TuningCalls(terminal).Bind(new Command("export", "Fetch a version's file.") { name, version, output, folder }, async (parsed, api, cancellationToken) =>
        {
            var adapter = parsed.GetRequiredValue(name);
            var wanted = parsed.GetValue(version) ?? (string)(await FindAsync(api, adapter, cancellationToken))["in_use"]!;
            var target = parsed.GetRequiredValue(output);
            var file = parsed.GetValue(folder) ? Path.GetTempFileName() : target;
            var path = $"{Adapters}/{Uri.EscapeDataString(adapter)}/versions/{Uri.EscapeDataString(wanted)}/content";
            long bytes;
            try
            {
                bytes = await api.DownloadAsync(path, file, cancellationToken);
                if (file != target)
                {
                    AdapterPackage.Unpack(file, target);
                }
            }
            finally
            {
                if (file != target)
                {
                    File.Delete(file);
                }
            }

            Plain(string.Create(CultureInfo.InvariantCulture, $"{bytes} bytes written to {parsed.GetValue(output)}."));
            return 0;
        });
    }

    private Command Traffic()
    {
        var name = Name();
        var version = new Argument<string>("version") { Description = "As list shows it." };
        var share = new Argument<double>("share") { Description = "1 puts it in use, less on trial, 0 ends its trial." };
        return new TuningCalls(terminal).Bind(new Command("traffic", "Give a version a share of the name's traffic.") { name, version, share }, async (parsed, api, cancellationToken) =>
        {
            var body = new JsonObject { ["version"] = parsed.GetRequiredValue(version), ["share"] = parsed.GetRequiredValue(share) };
            Show(await api.PostAsync($"{Adapters}/{Uri.EscapeDataString(parsed.GetRequiredValue(name))}/traffic", body, cancellationToken));
            return 0;
        });
    }

    private Command RollBack()
    {
        var name = Name();
        return new TuningCalls(terminal).Bind(new Command("rollback", "Take the traffic back to where it was before its last change.") { name }, async (parsed, api, cancellationToken) =>
        {
            Show(await api.PostAsync($"{Adapters}/{Uri.EscapeDataString(parsed.GetRequiredValue(name))}/rollback", null, cancellationToken));
            return 0;
        });
    }

    private Command Remove()
    {
        var name = Name();
        return new TuningCalls(terminal).Bind(new Command("remove", "Remove an adapter with all its versions.") { name }, async (parsed, api, cancellationToken) =>
        {
            var adapter = await FindAsync(api, parsed.GetRequiredValue(name), cancellationToken);
            await api.DeleteAsync($"v1/models/{Uri.EscapeDataString((string)adapter["id"]!)}", cancellationToken);
            Plain("Removed.");
            return 0;
        });
    }

    private static string Share(JsonNode adapter, string version)
    {
        var trial = (string?)adapter["on_trial"] is null ? 0 : (double)adapter["trial_share"]!;
        var share = version == (string?)adapter["in_use"] ? 1 - trial : version == (string?)adapter["on_trial"] ? trial : 0;
        return share.ToString("0.##%", CultureInfo.InvariantCulture);
    }

    private void Show(JsonObject adapter)
    {
        foreach (var version in adapter["versions"]!.AsArray().Select(version => (string)version!["id"]!).Where(version => Share(adapter, version) != "0%"))
        {
            Plain($"{adapter["id"]}: {Share(adapter, version)} {version}");
        }
    }

    private void Plain(string line) => terminal.Out.Profile.Out.Writer.WriteLine(line);
}
