using System.CommandLine;
using System.Globalization;
using System.IO.Compression;
using System.Text.Json.Nodes;
using LlavaCluster.Cli.Plots;
using LlavaCluster.Cli.Tuning;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>llava jobs create</c>. The server checks every bound; files that are here are uploaded first.</summary>
internal sealed class JobCreation(Terminal terminal)
{
    private readonly Option<string?> _model = new("--model") { Description = "The base; default: the first that the server lists." };
    private readonly Option<string> _data = new("--data") { Required = true, Description = "Conversations: a JSON or JSON-lines file, or the id of one that was uploaded." };
    private readonly Option<string?> _images = new("--images") { Description = "A folder or a zip of the pictures that the conversations name, or an uploaded zip's id." };
    private readonly Option<string?> _validation = new("--validation") { Description = "Conversations that judge the result; default: a part of the data that is kept out." };
    private readonly Option<string?> _name = new("--name") { Description = "The adapter's; requests then ask for MODEL:NAME. Default: the job's id." };
    private readonly Option<string?> _method = new("--method") { Description = "lora or projector; default: lora." };
    private readonly Option<int?> _epochs = new("--epochs") { Description = "Default: 3." };
    private readonly Option<int?> _batch = new("--batch-size") { Description = "Samples of a step over all trainers; default: 16." };
    private readonly Option<int?> _microBatch = new("--micro-batch") { Description = "Samples a trainer computes at once; default: 4." };
    private readonly Option<double?> _rate = new("--learning-rate") { Description = "Default: the method's published one." };
    private readonly Option<double?> _projectorRate = new("--projector-learning-rate") { Description = "Of the projector beside LoRA." };
    private readonly Option<int?> _rank = new("--rank") { Description = "Of the factors; default: 16." };
    private readonly Option<double?> _alpha = new("--alpha") { Description = "Default: 32." };
    private readonly Option<double?> _dropout = new("--dropout") { Description = "Default: 0." };
    private readonly Option<string[]> _modules = new("--target-module") { Description = "A projection that gets factors, by PEFT's rules; may be given more than once. Default: every one of the language model." };
    private readonly Option<string[]> _rankPattern = new("--rank-pattern") { Description = "MODULES=RANK: another rank where the regular expression is the end of a module's name; may be given more than once, the first that fits counts." };
    private readonly Option<string[]> _alphaPattern = new("--alpha-pattern") { Description = "MODULES=ALPHA, likewise." };
    private readonly Option<string?> _base = new("--base-weights") { Description = "How trainers hold the base: stored, or q8 in 8 bits a weight; default: stored." };
    private readonly Option<int?> _maxTokens = new("--max-tokens") { Description = "Of a sample; default: the model's context." };
    private readonly Option<double?> _heldOut = new("--held-out") { Description = "Share of the data that is kept out; default: 0.1." };
    private readonly Option<bool> _skip = new("--skip-bad-records") { Description = "Leave bad records out instead of failing." };
    private readonly Option<int?> _localSteps = new("--local-steps") { Description = "Steps between exchanges of trainers (DiLoCo); default: 1, at each." };
    private readonly Option<int?> _seed = new("--seed") { Description = "Default: 42." };
    private readonly Option<int?> _trainers = new("--max-trainers") { Description = "That work together; default: 1." };
    private readonly Option<double?> _share = new("--traffic-share") { Description = "Of the name's traffic for the new version; default: 1." };
    private readonly Option<int?> _checkpoint = new("--checkpoint-every") { Description = "Steps; default: as many as take a minute." };
    private readonly Option<bool> _watch = new("--watch") { Description = "Show the job to its end." };
    private readonly Option<string?> _plot = PlotFile.Option("--plot", "With --watch: a .svg or .png file for the loss curve.");

    public Command Create()
    {
        var command = new Command("create", "Fine-tune a model on a file of conversations; prints the job's id.");
        foreach (var option in (Option[])[
            _model, _data, _images, _validation, _name, _method, _epochs, _batch, _microBatch, _rate, _projectorRate, _rank, _alpha, _dropout, _modules, _rankPattern, _alphaPattern, _base, _maxTokens, _heldOut, _skip, _localSteps, _seed, _trainers, _share, _checkpoint, _watch, _plot])
        {
            command.Add(option);
        }

        return new TuningCalls(terminal).Bind(command, RunAsync);
    }

    /// <summary>What is no file here must be one at the server.</summary>
    private static async Task<JsonNode?> FileAsync(TuningApi api, string? file, CancellationToken cancellationToken)
    {
        if (file is null || (file.StartsWith("file-", StringComparison.Ordinal) && !File.Exists(file)))
        {
            return file;
        }

        return File.Exists(file) ? await FilesCommand.UploadAsync(api, file, "fine-tune", cancellationToken) : throw new FileNotFoundException($"There is no file \"{file}\", and it is not the id of one that was uploaded.");
    }

    /// <summary>A folder travels as a zip.</summary>
    private static async Task<JsonNode?> PicturesAsync(TuningApi api, string? pictures, CancellationToken cancellationToken)
    {
        if (!Directory.Exists(pictures))
        {
            return await FileAsync(api, pictures, cancellationToken);
        }

        var folder = Directory.CreateTempSubdirectory("llava-pictures-");
        try
        {
            var zip = Path.Combine(folder.FullName, Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(pictures))) + ".zip");
            await ZipFile.CreateFromDirectoryAsync(pictures, zip, CompressionLevel.NoCompression, includeBaseDirectory: false, cancellationToken);
            return await FileAsync(api, zip, cancellationToken);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<string> FirstModelAsync(TuningApi api, CancellationToken cancellationToken) =>
        (await api.GetAsync("v1/models", cancellationToken))["data"]!.AsArray() is [var first, ..] ? (string)first!["id"]! : throw new InvalidDataException("The server serves no model now; name one with --model.");

    private static JsonObject Pattern(Option<string[]> option, ParseResult parsed)
    {
        var entries = new JsonObject();
        foreach (var given in parsed.GetValue(option) ?? [])
        {
            var at = given.LastIndexOf('=');
            if (at < 1 || !double.TryParse(given.AsSpan(at + 1), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) || !double.IsFinite(number) || !entries.TryAdd(given[..at], number))
            {
                throw new InvalidDataException($"{option.Name} must be MODULES=NUMBER, each MODULES once; was \"{given}\".");
            }
        }

        return entries;
    }

    private async Task<int> RunAsync(ParseResult parsed, TuningApi api, CancellationToken cancellationToken)
    {
        var hyperparameters = Hyperparameters(parsed);
        var body = new JsonObject
        {
            ["model"] = parsed.GetValue(_model) ?? await FirstModelAsync(api, cancellationToken),
            ["training_file"] = await FileAsync(api, parsed.GetRequiredValue(_data), cancellationToken),
            ["images_file"] = await PicturesAsync(api, parsed.GetValue(_images), cancellationToken),
            ["validation_file"] = await FileAsync(api, parsed.GetValue(_validation), cancellationToken),
            ["suffix"] = parsed.GetValue(_name),
            ["seed"] = parsed.GetValue(_seed),
            ["max_trainers"] = parsed.GetValue(_trainers),
            ["traffic_share"] = parsed.GetValue(_share),
            ["checkpoint_every"] = parsed.GetValue(_checkpoint),
            ["method"] = new JsonObject { ["type"] = "supervised", ["supervised"] = new JsonObject { ["hyperparameters"] = hyperparameters } },
        };
        var id = (string)(await api.PostAsync("v1/fine_tuning/jobs", body, cancellationToken))["id"]!;
        terminal.Out.Profile.Out.Writer.WriteLine(id);
        return parsed.GetValue(_watch) ? await new JobWatch(terminal, api).RunAsync(id, parsed.GetValue(_plot), cancellationToken) : 0;
    }

    // Null is absent to the server.
    private JsonObject Hyperparameters(ParseResult parsed) => new()
    {
        ["method"] = parsed.GetValue(_method),
        ["n_epochs"] = parsed.GetValue(_epochs),
        ["batch_size"] = parsed.GetValue(_batch),
        ["micro_batch"] = parsed.GetValue(_microBatch),
        ["learning_rate"] = parsed.GetValue(_rate),
        ["projector_learning_rate"] = parsed.GetValue(_projectorRate),
        ["rank"] = parsed.GetValue(_rank),
        ["alpha"] = parsed.GetValue(_alpha),
        ["dropout"] = parsed.GetValue(_dropout),
        ["target_modules"] = new JsonArray([.. (parsed.GetValue(_modules) ?? []).Select(module => JsonValue.Create(module))]),
        ["rank_pattern"] = Pattern(_rankPattern, parsed),
        ["alpha_pattern"] = Pattern(_alphaPattern, parsed),
        ["base_weights"] = parsed.GetValue(_base),
        ["max_tokens"] = parsed.GetValue(_maxTokens),
        ["held_out"] = parsed.GetValue(_heldOut),
        ["skip_bad_records"] = parsed.GetValue(_skip),
        ["local_steps"] = parsed.GetValue(_localSteps),
    };
}
