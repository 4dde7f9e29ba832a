using System.CommandLine;
using LlavaCluster.Cli.Plots;
using System.Text.Json;
using LlavaCluster.Training.Data.Conversations;
using LlavaCluster.Training.Tuning;

namespace LlavaCluster.Cli.Commands;

/// <summary>The options of <c>llava train --model</c>: a recipe from a preset or a file, and what is changed of it.</summary>
internal sealed class TuningOptions
{
    private readonly Option<string?> _model = new("--model") { Description = "The model folder to start from." };
    private readonly Option<string?> _data = new("--data") { Description = "Conversations: LLaVA's JSON or JSON lines, or OpenAI's JSON lines." };
    private readonly Option<string?> _images = new("--images") { Description = "Where their pictures are: a folder or a zip archive." };
    private readonly Option<TuningMethod?> _method = new("--method") { Description = "What is trained: lora (default), projector (stage 1), full (stage 2)." };
    private readonly Option<string?> _recipe = new("--recipe") { Description = "A recipe as JSON, in place of a preset; --show-recipe prints one." };
    private readonly Option<bool> _show = new("--show-recipe") { Description = "Print the recipe and train nothing." };
    private readonly Option<int?> _epochs = new("--epochs") { Description = "Times that every sample is seen." };
    private readonly Option<int?> _batch = new("--batch") { Description = "Samples of a step." };
    private readonly Option<int?> _micro = new("--micro-batch") { Description = "Samples of a forward pass; fewer take less memory." };
    private readonly Option<double?> _rate = new("--learning-rate") { Description = "At its peak." };
    private readonly Option<double?> _projectorRate = new("--projector-learning-rate") { Description = "The projector's." };
    private readonly Option<int?> _rank = new("--rank") { Description = "Of the adapter." };
    private readonly Option<double?> _alpha = new("--alpha") { Description = "The adapter's scale is alpha / rank." };
    private readonly Option<double?> _dropout = new("--dropout") { Description = "Of what the adapter sees." };
    private readonly Option<string?> _target = new("--target-modules") { Description = "all-linear, names with commas, or a regular expression in slashes." };
    private readonly Option<BaseWeights?> _base = new("--base-weights") { Description = "How the frozen base is held: stored (default), q8." };
    private readonly Option<int?> _tokens = new("--max-tokens") { Description = "Of a sample, pictures included." };
    private readonly Option<string?> _template = new("--template") { Description = "The conversation template. Default: the model's own." };
    private readonly Option<double?> _heldOut = new("--held-out") { Description = "Share of the samples that only measure." };
    private readonly Option<bool> _skip = new("--skip-bad") { Description = "Leave bad records out in place of refusing the data." };
    private readonly Option<bool> _headers = new("--headers-only") { Description = "Check pictures by their headers and decode none before it is needed." };
    private readonly Option<bool> _duplicates = new("--allow-duplicate-ids") { Description = "Take records that share an id, as in LLaVA's own mixtures." };
    private readonly Option<string?> _plot = PlotFile.Option("--plot", "A picture of the losses: .svg or .png.");

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_model, _data, _images, _method, _recipe, _show, _epochs, _batch, _micro, _rate, _projectorRate, _rank, _alpha, _dropout, _target, _base, _tokens, _template, _heldOut, _skip, _headers, _duplicates, _plot])
        {
            command.Options.Add(option);
        }
    }

    /// <summary>What is asked for, or what is wrong with it.</summary>
    public (TuneRequest? Request, string Fault) Read(ParseResult parsed, string? preset, int? seed)
    {
        if (preset is not null && parsed.GetValue(_recipe) is not null)
        {
            return (null, "--preset and --recipe must not both be given.");
        }

        try
        {
            var recipe = Change(parsed, Start(parsed, preset), seed);
            if (recipe.Faults() is { Count: > 0 } faults)
            {
                return (null, string.Join("\n", faults));
            }

            var show = parsed.GetValue(_show);
            return !show && (parsed.GetValue(_model) is null || parsed.GetValue(_data) is null)
                ? (null, "--model and --data must be given, or --preset scenes.")
                : (new TuneRequest(recipe, parsed.GetValue(_model) ?? "", parsed.GetValue(_data) ?? "", parsed.GetValue(_images), Options(parsed), parsed.GetValue(_plot)) { ShowOnly = show }, "");
        }
        catch (Exception exception) when (exception is JsonException or ArgumentException or IOException or UnauthorizedAccessException)
        {
            return (null, exception.Message);
        }
    }

    private DatasetOptions Options(ParseResult parsed) => new()
    {
        BadRecords = parsed.GetValue(_skip) ? BadRecordPolicy.Skip : BadRecordPolicy.Stop,
        DecodePictures = !parsed.GetValue(_headers),
        AllowDuplicateIds = parsed.GetValue(_duplicates),
    };

    // What needs no preset is small: an adapter that a person tries on a machine without a GPU.
    private TuningRecipe Start(ParseResult parsed, string? preset) =>
        parsed.GetValue(_recipe) is { } file ? TuningRecipe.Parse(File.ReadAllText(file))
        : preset is not null ? TuningPresets.Find(preset)!
        : new TuningRecipe { Method = TuningMethod.Lora, Lora = new LoraRecipe { Rank = 16, Alpha = 32 }, GlobalBatch = 16, MicroBatch = 4, LearningRate = 2e-4, ProjectorLearningRate = 2e-5, ClipNorm = 1, BFloat16 = true, HeldOutShare = 0.05 };

    private TuningRecipe Change(ParseResult parsed, TuningRecipe recipe, int? seed)
    {
        var method = parsed.GetValue(_method) ?? recipe.Method;
        var lora = method == TuningMethod.Lora ? recipe.Lora ?? new LoraRecipe() : null;
        return recipe with
        {
            Method = method,
            Lora = lora is null ? null : lora with
            {
                Rank = parsed.GetValue(_rank) ?? lora.Rank,
                Alpha = parsed.GetValue(_alpha) ?? lora.Alpha,
                Dropout = parsed.GetValue(_dropout) ?? lora.Dropout,
                TargetModules = parsed.GetValue(_target) is { } target ? Target(target) : lora.TargetModules,
            },
            Epochs = parsed.GetValue(_epochs) ?? recipe.Epochs,
            GlobalBatch = parsed.GetValue(_batch) ?? recipe.GlobalBatch,
            MicroBatch = parsed.GetValue(_micro) ?? recipe.MicroBatch,
            LearningRate = parsed.GetValue(_rate) ?? recipe.LearningRate,
            ProjectorLearningRate = parsed.GetValue(_projectorRate) ?? recipe.ProjectorLearningRate,
            BaseWeights = parsed.GetValue(_base) ?? recipe.BaseWeights,
            MaxTokens = parsed.GetValue(_tokens) ?? recipe.MaxTokens,
            Template = parsed.GetValue(_template) ?? recipe.Template,
            HeldOutShare = parsed.GetValue(_heldOut) ?? recipe.HeldOutShare,
            Seed = seed ?? recipe.Seed,
        };
    }

    private static ModulePattern Target(string text) =>
        text is ['/', .. var expression, '/'] ? ModulePattern.Expression(expression)
        : text == ModulePattern.AllLinear.ToString() ? ModulePattern.AllLinear
        : ModulePattern.Names(text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
}

/// <summary>A run that was asked for.</summary>
/// <param name="Images">Null where no record names a picture.</param>
/// <param name="Plot">Null for none.</param>
internal sealed record TuneRequest(TuningRecipe Recipe, string Model, string Data, string? Images, DatasetOptions Reading, string? Plot)
{
    public bool ShowOnly { get; init; }

    public string Out { get; init; } = "";

    public string Work { get; init; } = "";

    public string? From { get; init; }

    public int Threads { get; init; } = 1;
}
