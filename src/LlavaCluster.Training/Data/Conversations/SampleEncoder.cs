using LlavaCluster.Model.Config;
using LlavaCluster.Model.Imaging;
using LlavaCluster.Model.Text;
using LlavaCluster.Model.Weights;
using LlavaCluster.Pictures;
using LlavaCluster.Training.Scenes;

namespace LlavaCluster.Training.Data.Conversations;

/// <summary>
/// Conversations to training samples for one model: written by its template, tokenised with the learned spans marked, pictures as its preprocessor has them. Labels come
/// from spans and never from counting tokens of pieces, which is how LLaVA's trainer loses whole samples in silence ("tokenization mismatch"); where a token lies across the
/// border of a span the record is refused. Thread-safe; no tensors.
/// </summary>
public sealed class SampleEncoder
{
    private const string Plain = "plain";
    private const ulong PlacePurpose = 3;

    private readonly TextCodec _codec;
    private readonly PromptRenderer _prompts;
    private readonly ImagePreprocessor _images;
    private readonly double _questionFirst;
    private readonly ulong _seed;
    private readonly int _maxTokens;

    /// <param name="questionFirst">Share of the questions with pictures that come before them.</param>
    /// <param name="seed">Draws those.</param>
    public SampleEncoder(LlavaConfig config, TextCodec codec, ConversationTemplate template, PreprocessingConfig preprocessing, int maxTokens, double questionFirst = 0, int seed = 0)
    {
        if (config.Family != ModelFamily.Llava15)
        {
            throw new ArgumentException($"Only LLaVA-1.5 models are tuned; this is {config.Family}.", nameof(config));
        }

        (_codec, _prompts, _images) = (codec, new PromptRenderer(template, codec), new ImagePreprocessor(config, preprocessing));
        (_questionFirst, _seed, _maxTokens) = (questionFirst, (ulong)seed, Math.Min(maxTokens, config.Text.MaxPositions));
        FeaturesPerPicture = config.TokensPerTile;
        ValuesPerPicture = 3 * config.Vision.ImageSize * config.Vision.ImageSize;
    }

    public ConversationTemplate Template => _prompts.Template;

    public int FeaturesPerPicture { get; }

    /// <summary>3 * S * S.</summary>
    public int ValuesPerPicture { get; }

    /// <summary>For a model folder, pictures the right way up as its server sees them, with the template of that name or, for null, the folder's own: what it says, or its family's.</summary>
    /// <exception cref="CheckpointException">The folder is no model, or asks for a template that is not known.</exception>
    public static SampleEncoder For(string folder, string? template, int maxTokens, double questionFirst = 0, int seed = 0)
    {
        var config = LlavaConfigReader.Read(folder);
        var file = Path.Combine(folder, ModelFolderWriter.TemplateFile);
        var name = template ?? (File.Exists(file) ? File.ReadAllText(file).Trim() : ConversationTemplate.VicunaV1.Name);
        var found = ConversationTemplate.Find(name) ?? throw new CheckpointException(folder, $"asks for the conversation template \"{RecordFault.Short(name)}\", which is not known.");
        return new SampleEncoder(config, TextCodec.Load(folder, config), found, PreprocessingConfigReader.Read(folder, config) with { ApplyOrientation = true }, maxTokens, questionFirst, seed);
    }

    /// <summary>A conversation's tokens, or why it has none that can be learned.</summary>
    /// <param name="key">Names the record: the places of its pictures are drawn from it.</param>
    internal (IReadOnlyList<PromptToken> Tokens, BadRecordKind Kind, string Reason) Tokens(Conversation conversation, int key)
    {
        IReadOnlyList<PromptToken> tokens;
        try
        {
            tokens = _codec.Encode(_prompts.Render(Messages(conversation, key), opens: false));
        }
        catch (InvalidOperationException exception)
        {
            return ([], BadRecordKind.Unlabelled, $"the template {Template.Name} does not fit the tokeniser here: {exception.Message}");
        }

        var length = tokens.Count + (conversation.Pictures.Count * (FeaturesPerPicture - 1));
        return length > _maxTokens
            ? ([], BadRecordKind.TooLong, $"a sample must have at most {_maxTokens} tokens, pictures included; had {length}.")
            : tokens.Any(token => token.Learned) ? (tokens, default, "") : ([], BadRecordKind.EmptyAnswer, "an answer must have a token to learn.");
    }

    /// <summary>A picture's size is read and its pixels are decoded; null where both went well.</summary>
    internal static string? Check(byte[] picture, HeaderLimits limits, bool decode) =>
        decode ? ImageDecoder.Decode(picture, limits).Refusal : ImageDecoder.Measure(picture, limits).Refusal;

    /// <summary>Normalised pixels, [pictures, 3, S, S] flat.</summary>
    /// <exception cref="InvalidDataException">One cannot be decoded.</exception>
    internal float[] Pixels(IReadOnlyList<byte[]> pictures, HeaderLimits limits)
    {
        var values = new float[pictures.Count * ValuesPerPicture];
        for (var i = 0; i < pictures.Count; i++)
        {
            var decoded = ImageDecoder.Decode(pictures[i], limits, _images.Config.ApplyOrientation);
            var image = decoded.Image ?? throw new InvalidDataException(decoded.Refusal);
            _images.Prepare(image).Pixels.CopyTo(values, i * ValuesPerPicture);
        }

        return values;
    }

    private PromptMessage[] Messages(Conversation conversation, int key)
    {
        var random = SceneRandom.For(_seed, PlacePurpose, (ulong)key);
        var messages = new List<PromptMessage>();
        if (conversation.System is { } system)
        {
            messages.Add(PromptMessage.System(system));
        }

        var picture = 0;
        foreach (var turn in conversation.Turns)
        {
            // Stage 1 sees a picture and its caption only (llava/train/train.py, preprocess_plain).
            var text = Template.Name == Plain ? "" : turn.Question;
            var last = turn.Pictures > 0 && text.Length > 0 && random.NextSingle() < _questionFirst;
            messages.Add(PromptMessage.User(text, [.. Enumerable.Range(picture, turn.Pictures)]) with { PicturesLast = last });
            messages.Add(PromptMessage.Assistant(turn.Answer));
            picture += turn.Pictures;
        }

        return [.. messages];
    }
}
