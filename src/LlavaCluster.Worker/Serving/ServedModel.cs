using System.Security.Cryptography;
using System.Text;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Engine;
using LlavaCluster.Model;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Imaging;
using LlavaCluster.Model.Text;
using LlavaCluster.Model.Weights;

namespace LlavaCluster.Worker.Serving;

/// <summary>A loaded model with all that turns messages into prompts and pictures into pixels. Immutable; the network is its device thread's alone.</summary>
internal sealed class ServedModel : IDisposable
{
    private readonly LlavaModel _model;

    private ServedModel(LlavaModel model, TextCodec codec, PromptRenderer renderer, ImagePreprocessor preprocessor, ModelCard card)
    {
        _model = model;
        Codec = codec;
        Renderer = renderer;
        Preprocessor = preprocessor;
        Card = card;
        Preprocessing = Digest($"{preprocessor.Config.Fit} {preprocessor.Config.TileSize} {preprocessor.Config.ShortestEdge} {string.Join(' ', preprocessor.Config.Mean)} {string.Join(' ', preprocessor.Config.Deviation)}");
    }

    public LlavaNetwork Network => _model.Network;

    public TextCodec Codec { get; }

    public PromptRenderer Renderer { get; }

    public ImagePreprocessor Preprocessor { get; }

    public ModelCard Card { get; }

    public ContentDigest Preprocessing { get; }

    /// <summary>Loads on the calling thread, which must be the device's.</summary>
    /// <exception cref="NotSupportedException">The device is not there.</exception>
    public static ServedModel Load(WorkerOptions options, DateTimeOffset now)
    {
        var model = LlavaModel.Load(options.ModelFolder, new CheckpointOptions { VisionTower = options.VisionTower }, options.Precision, options.Device.Open());
        try
        {
            var config = model.Config;
            var codec = TextCodec.Load(options.ModelFolder, config);
            var preprocessing = PreprocessingConfigReader.Read(options.ModelFolder, config) with { ApplyOrientation = true };
            var preprocessor = new ImagePreprocessor(config, preprocessing);
            var card = new ModelCard
            {
                Name = options.ModelName ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(options.ModelFolder))),
                ContextLength = config.Text.MaxPositions,
                VocabSize = config.Text.VocabSize,
                MaxImageTokens = MostTokens(config),
                CreatedAt = now,
                Precision = (options.Weights ?? model.Network.Packed?.Format)?.ToString() ?? model.Network.Dtype.ToString(),
                Parameters = model.Network.parameters().Sum(parameter => parameter.numel()),
            };
            return new ServedModel(model, codec, new PromptRenderer(ChooseTemplate(options, config), codec), preprocessor, card);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>What the engine must know of the model.</summary>
    public EngineModel ForEngine() => new()
    {
        VocabularySize = Network.Config.Text.VocabSize,
        MaxPositions = Network.Config.Text.MaxPositions,
        ImageTokenId = Network.Config.ImageTokenId,
        EndTokens = [.. Network.Config.EosTokenIds.Concat(Renderer.EndTokens.Where(HasRow)).Distinct()],
        StopTexts = Renderer.StopTexts,
        // Rows without a token, and the tokens that stand for pictures and padding.
        ReservedTokens = [.. Enumerable.Range(Codec.Count, Math.Max(0, Network.Config.Text.VocabSize - Codec.Count)), .. new[] { Network.Config.ImageTokenId, Network.Config.PadTokenId ?? Network.Config.ImageTokenId }.Distinct().Where(id => id < Codec.Count && HasRow(id))],
        Projector = Digest($"{Card.Name} {Card.CreatedAt.UtcTicks}"),
        TokenTexts = TokenText.Of(Codec, Network.Config.Text.VocabSize),
        CreateDecoder = () => new AnswerDecoder(Codec.CreateDecoder()),
    };

    public void Dispose() => _model.Dispose();

    // A tokeniser may name more tokens than the model has rows for.
    private bool HasRow(int id) => id < Network.Config.Text.VocabSize;

    // A model may say how it was trained in a file of its own; otherwise the family's habit holds.
    private static ConversationTemplate ChooseTemplate(WorkerOptions options, LlavaConfig config)
    {
        var file = Path.Combine(options.ModelFolder, ModelFolderWriter.TemplateFile);
        var name = options.Template ?? (File.Exists(file) ? File.ReadAllText(file).Trim() : config.Family == ModelFamily.LlavaNext ? "mistral_instruct" : "vicuna_v1");
        return ConversationTemplate.Find(name)
            ?? throw new CheckpointException(options.ModelFolder, $"asks for the conversation template \"{name}\"; known are {string.Join(", ", ConversationTemplate.All.Select(template => template.Name))}.");
    }

    private static int MostTokens(LlavaConfig config) =>
        config.GridPinpoints.Count == 0
            ? config.TokensPerTile
            : config.GridPinpoints.Max(grid => AnyresGrid.Layout(config, grid.Height, grid.Width).Tokens(config.TokensPerTile));

    private static ContentDigest Digest(string text) => new(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private sealed class AnswerDecoder(IncrementalDecoder decoder) : ITextDecoder
    {
        public string Append(int token) => decoder.Append(token);

        public string Finish() => decoder.Finish();
    }
}
